// Package redistest starts Redis servers for a single test: to stop, pause and restart them.
package redistest

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/internal/needs"
)

// A Server is a redis-server with its own port, which it keeps after Stop and Start. It keeps no data.
type Server struct {
	t    testing.TB
	port string
	file string
	args []string
	cmd  *exec.Cmd
}

// New starts a server with additional arguments, and kills it when t ends. If there is no Redis, package needs skips
// the test.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	return NewWith(t, "", args...)
}

// NewWith is New with a configuration file.
func NewWith(t testing.TB, file string, args ...string) *Server {
	t.Helper()
	needs.Redis(t)
	s := &Server{t: t, port: freePort(t), file: file, args: args}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Cluster starts a cluster of one server with all slots, and returns its URL.
func Cluster(t testing.TB) string {
	t.Helper()
	s := New(t, "--cluster-enabled", "yes")
	client := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer client.Close()
	if err := client.ClusterAddSlotsRange(t.Context(), 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	needs.Eventually(t, "the cluster is up", func() bool {
		info, err := client.ClusterInfo(t.Context()).Result()
		return err == nil && strings.Contains(info, "cluster_state:ok")
	})
	return "redis+cluster://" + s.Addr()
}

// freePort returns a free port of the loopback interface.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Addr returns the server's host:port.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// URL returns the server's URL.
func (s *Server) URL() string { return "redis://" + s.Addr() + "/0" }

// Start starts the server again, empty, and returns when it answers.
func (s *Server) Start() {
	s.t.Helper()
	args := []string{"--bind", "127.0.0.1", "--port", s.port, "--save", "", "--appendonly", "no",
		"--dir", s.t.TempDir()}
	if s.file != "" {
		args = append([]string{s.file}, args...)
	}
	args = append(args, s.args...)
	s.cmd = exec.CommandContext(context.Background(), "redis-server", args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	needs.Eventually(s.t, "redis answers", func() bool { return client.Ping(context.Background()).Err() == nil })
}

// Stop kills the server. Clients then get connection refused.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Pause stops the process without closing anything: connections hang, as if the network were cut.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue ends Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
}
