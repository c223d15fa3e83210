package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// A console is a running imadmin, started by its real function run.
type console struct {
	url  string
	log  *lockedBuffer
	stop func() int // once; returns the exit code
}

// startConsole runs imadmin in front of backends.
func startConsole(t *testing.T, backends string, args ...string) *console {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c := &console{log: &lockedBuffer{}}
	code := make(chan int, 1)
	args = append([]string{"--addr", "127.0.0.1:0", "--backend", backends, "--log-format", "json"}, args...)
	go func() { code <- run(ctx, args, environment(), io.Discard, c.log) }()
	c.stop = sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { c.stop(); http.DefaultClient.CloseIdleConnections() })
	eventually(t, func() bool { c.url = c.field("imadmin is up", "console"); return c.url != "" }, c.log)
	c.url = strings.TrimSuffix(c.url, "/")
	return c
}

// field returns a field of the log line with a message, or "".
func (c *console) field(msg, name string) string {
	for line := range strings.Lines(c.log.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == msg {
			text, _ := fields[name].(string)
			return text
		}
	}
	return ""
}

func (c *console) health(t *testing.T) (h struct {
	Status   string
	Backends map[string]string
}) {
	t.Helper()
	res, body := get(t, c.url+"/health")
	if err := json.Unmarshal(body, &h); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("/health: %d %s", res.StatusCode, body)
	}
	return h
}

// awaits waits until /health has a status.
func (c *console) awaits(t *testing.T, status string) {
	t.Helper()
	eventually(t, func() bool { return c.health(t).Status == status }, c.log)
}

func eventually(t *testing.T, holds func() bool, log *lockedBuffer) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come; the log: %s", log)
		}
	}
}

func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	return do(t, http.MethodGet, url, nil, header...)
}

func do(t *testing.T, method, url string, body io.Reader, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, text
}

// A node stands for an imserver in a test that must see which requests arrive.
type node struct {
	*httptest.Server
	name string
	mu   sync.Mutex
	seen []*http.Request
	body []string
}

func startNode(t *testing.T, h http.HandlerFunc) *node {
	t.Helper()
	n := &node{}
	n.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			_, _ = io.WriteString(w, `{"status":"ok","parts":{}}`)
			return
		}
		body, _ := io.ReadAll(r.Body)
		n.mu.Lock()
		n.seen, n.body = append(n.seen, r), append(n.body, string(body))
		n.mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(n.Close)
	u, err := url.Parse(n.URL)
	if err != nil {
		t.Fatal(err)
	}
	n.name = u.Host
	return n
}

func (n *node) requests() ([]*http.Request, []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]*http.Request(nil), n.seen...), append([]string(nil), n.body...)
}

// nowhere returns an address at which nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// lockedBuffer is a log that is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
