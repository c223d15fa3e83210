// Package redistest starts Redis servers that a test has for itself: to stop,
// to pause and to start again.
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

// A Server is a redis-server on a port of its own, which it keeps when it is
// stopped and started again. It keeps no data.
type Server struct {
	t    testing.TB
	port string
	file string
	args []string
	cmd  *exec.Cmd
}

// New starts a server with further arguments; it is killed when t ends. The
// test is skipped where there is no Redis, as by needs.
func New(t testing.TB, args ...string) *Server {
	t.Helper()
	return NewWith(t, "", args...)
}

// NewWith is New with a file of configuration.
func NewWith(t testing.TB, file string, args ...string) *Server {
	t.Helper()
	needs.Redis(t)
	s := &Server{t: t, port: freePort(t), file: file, args: args}
	t.Cleanup(s.Stop)
	s.Start()
	return s
}

// Cluster starts a cluster of one server that has all slots, and returns its URL.
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

// freePort returns a port of the loopback that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// Addr is its host and port.
func (s *Server) Addr() string { return "127.0.0.1:" + s.port }

// URL is where it is.
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

// Stop kills the server; its clients find the port refused.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// Pause stops the process without closing anything: connections hang, as when
// the network to a server is cut.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue is the end of Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Fatal(err)
	}
}
