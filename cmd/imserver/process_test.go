package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
)

const patience = 60 * time.Second

// nodeExpiry in the environment makes this program a server itself, one that
// expires nodes so soon: no setting does.
const nodeExpiry = "IM_TEST_NODE_EXPIRY"

func TestMain(m *testing.M) {
	if expiry := os.Getenv(nodeExpiry); expiry != "" {
		os.Exit(serveWith(expiry))
	}
	folder, err := os.MkdirTemp("", "imserver")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(folder, "imserver")
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func serveWith(expiry string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	r, err := parse(os.Args[1:], os.Getenv, os.Stdout)
	if err == nil {
		r.cfg.NodeExpiry, err = time.ParseDuration(expiry)
	}
	if err == nil {
		err = serve(ctx, r.cfg, newLogger(r.cfg, os.Stderr))
	}
	if err != nil {
		slog.Error("imserver failed", "err", err)
		return exitFailed
	}
	return exitOK
}

// binary is the real one, once build has returned.
var (
	binary string
	built  = sync.OnceValues(func() ([]byte, error) {
		return exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
	})
)

func build(t *testing.T) string {
	t.Helper()
	if out, err := built(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// A program is what launch starts.
type program struct {
	bin  string
	dir  string
	args []string
	env  []string
}

// alone is a server that needs nothing but a folder.
func alone(t *testing.T) program {
	t.Helper()
	return program{bin: build(t), dir: t.TempDir()}
}

// shared is a node on a database, a Redis and a bucket that no other test has.
func shared(t *testing.T) program {
	t.Helper()
	redis, prefix := needs.Redis(t)
	return sharedWith(t, "--redis="+redis, "--redis-prefix="+prefix)
}

// sharedWith is shared with a Redis that args name.
func sharedWith(t *testing.T, args ...string) program {
	t.Helper()
	endpoint, bucket := needs.S3(t)
	return program{
		bin: build(t), dir: t.TempDir(),
		args: append(args, "--blob=s3://"+bucket+"?endpoint="+url.QueryEscape(endpoint)),
		env:  []string{"IM_DB=" + needs.MySQL(t), "IM_JWT_SECRET=" + strings.Repeat("secret", 6)},
	}
}

// A process is a running imserver.
type process struct {
	cmd *exec.Cmd
	url string
	log *bytes.Buffer // complete once done is closed

	done chan struct{}
}

// launch starts a program and waits until it says where it is.
func launch(t *testing.T, prog program) *process {
	t.Helper()
	p := &process{log: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd = exec.Command(prog.bin, append([]string{"--addr=127.0.0.1:0", "--log-format=json", "--message-rate=0"}, prog.args...)...)
	p.cmd.Dir, p.cmd.Env = prog.dir, append(os.Environ(), prog.env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	go func() {
		defer close(p.done)
		defer close(up)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = p.log.Write(append(lines.Bytes(), '\n'))
			var entry struct{ Msg, API string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "imserver is up" {
				up <- strings.TrimSuffix(entry.API, "/api")
			}
		}
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", p.url, p.log)
		}
	})
	select {
	case p.url = <-up:
	case <-time.After(patience):
	}
	if p.url == "" {
		p.kill()
		t.Fatalf("imserver did not come up:\n%s", p.log)
	}
	return p
}

// kill ends the process as a power cut would, as far as it can tell.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	_ = p.cmd.Wait()
}

// stop asks the process to stop, and wants it to do so cleanly and in time.
func (p *process) stop(t *testing.T, within time.Duration) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(within):
		t.Fatalf("not stopped within %s", within)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
	if strings.Contains(p.log.String(), "cut off while stopping") {
		t.Errorf("something was cut off:\n%s", p.log)
	}
}

// do makes a call that has to succeed, and reads its data.
func (p *process) do(t *testing.T, a imclient.Account, method, path string, body, data any) {
	t.Helper()
	if err := a.At(p.url).Do(context.Background(), method, path, body, data); err != nil {
		t.Fatal(err)
	}
}

// nodes are processes that are one server to their clients.
type nodes struct {
	mu    sync.Mutex
	procs []*process
}

func start(t *testing.T, n int, prog program) *nodes {
	t.Helper()
	all := &nodes{}
	for range n {
		all.procs = append(all.procs, launch(t, prog))
	}
	return all
}

// node returns one of them.
func (n *nodes) node(i int) *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.procs[i%len(n.procs)]
}

// replace puts a new process in the place of one that has ended.
func (n *nodes) replace(t *testing.T, i int, prog program) {
	t.Helper()
	p := launch(t, prog)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.procs[i] = p
}

// register makes an account.
func (p *process) register(t *testing.T, phone string) imclient.Account {
	t.Helper()
	a, err := imclient.Register(context.Background(), p.url, imclient.Profile{Phone: phone, Username: "u" + phone, Password: "secret!"})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// group makes a group of the client who asks for it and others.
func (p *process) group(t *testing.T, clients ...*client) target {
	t.Helper()
	var ids []int64
	for _, c := range clients {
		ids = append(ids, c.account.ID)
	}
	var g struct{ ID int64 }
	p.do(t, clients[0].account, "POST", "/api/chats", map[string]any{"title": "group", "member_ids": ids}, &g)
	return target{ChatID: g.ID}
}

// history reads a whole conversation as one of its members.
func (p *process) history(t *testing.T, c *client, to target) (all []imclient.Message) {
	t.Helper()
	for more := true; more; {
		var page struct {
			Data    []imclient.Message
			HasMore bool `json:"has_more"`
		}
		answer, err := c.account.At(p.url).Ask(context.Background(), "GET",
			fmt.Sprintf("/api/messages?%s&after_seq=%d&limit=200", to.query(), len(all)), nil)
		if err == nil {
			err = json.Unmarshal(answer.Body, &page)
		}
		if err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%d %v: %s", answer.Status, err, answer.Body)
		}
		all, more = append(all, page.Data...), page.HasMore
	}
	return all
}
