//go:build unix

package web_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/servertest"
)

// nodeKilled lets two users chat across two nodes, and kills Alice's while both write. Her page must switch to the
// other node, and no message may be missing or shown twice.
func nodeKilled(t *testing.T, b *chromium) {
	const each = 16
	run := nodeRunner(t)
	first, killFirst := run()
	second, _ := run()
	gate := failover(t, first, second)
	alice := app{&servertest.Server{Addr: second}}.register(t, "10001", "alice", "Alice Winter")
	bob := app{&servertest.Server{Addr: first}}.register(t, "10002", "bob", "Bob Sommer")
	here, there := b.open(t, gate, desktop), b.open(t, "http://"+second, desktop)
	here.login("alice")
	there.login("bob")
	here.meets("bob", "Bob Sommer")
	here.says("From the first node")
	there.sees(`nav .preview`, "From the first node")
	there.reads("Alice Winter")
	there.says("From the second node")
	here.sees(`.message:not(.mine) .text`, "From the second node")

	// Bob's other device writes over HTTP, one message for each of Alice's.
	bob.URL = "http://" + second
	pace, wrote := make(chan int, each), make(chan error, 1)
	go func() {
		var err error
		for i := range pace {
			text := fmt.Sprint("bob ", i)
			err = errors.Join(err, bob.Do(context.Background(), "POST", "/api/messages",
				map[string]any{"receiver_id": alice.ID, "content": text, "client_msg_id": text}, nil))
		}
		wrote <- err
	}()
	for i := range each {
		if i == each/2 {
			killFirst()
		}
		pace <- i
		here.says(fmt.Sprint("alice ", i))
	}
	close(pace)
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	const all = 2 + 2*each
	here.until(`document.querySelectorAll('.message.pending').length === 0 && document.querySelector('.chat .state').textContent === 'online'`)
	here.shot("after")
	for _, w := range []*window{here, there} {
		w.gapless(all)
		w.once(each)
	}
	here.says("Still here")
	there.sees(`.message .text`, "Still here")
	there.says("So I see")
	here.sees(`.message .text`, "So I see")
	var stored []imclient.Message
	alice.do(t, "GET", fmt.Sprintf("/api/messages?receiver_id=%d&after_seq=0&limit=200", bob.ID), nil, &stored)
	if len(stored) != all+2 {
		t.Errorf("%d messages are stored, want %d", len(stored), all+2)
	}
}

// once checks that the page shows each message of both writers once, and each writer's in order.
func (w *window) once(each int) {
	w.t.Helper()
	texts := eval[[]string](w, `(async () => {
		const box = document.querySelector('.messages'), found = new Map()
		box.scrollTop = 0
		for (let turn = 0; turn < 200 && !found.has(1); turn++) {
			await new Promise(requestAnimationFrame)
			box.scrollTop = 0
			for (const m of box.querySelectorAll('[data-seq]')) found.set(Number(m.dataset.seq), m.querySelector('.text').textContent)
		}
		for (let end = false; !end;) {
			end = box.scrollTop + box.clientHeight >= box.scrollHeight - 2
			for (const m of box.querySelectorAll('[data-seq]')) found.set(Number(m.dataset.seq), m.querySelector('.text').textContent)
			box.scrollTop += box.clientHeight / 2
			await new Promise(r => setTimeout(r, 30))
		}
		return [...found].sort(([a], [b]) => a - b).map(([, text]) => text)
	})()`)
	for _, who := range []string{"alice", "bob"} {
		var got, want []string
		for i := range each {
			want = append(want, fmt.Sprint(who, " ", i))
		}
		for _, text := range texts {
			if strings.HasPrefix(text, who+" ") {
				got = append(got, text)
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			w.t.Errorf("messages of %s in the page: %q", who, got)
		}
	}
}

// failover forwards requests to the first of nodes that can be reached, as a load balancer does.
func failover(t *testing.T, nodes ...string) (address string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme = "http" }, // the host stays that of the page
		Transport: balancer{transport, nodes},
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// A balancer tries nodes in their order. It tries the next one only if it could not connect, so nothing was sent.
type balancer struct {
	transport *http.Transport
	nodes     []string
}

// RoundTrip implements http.RoundTripper.
func (b balancer) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	for _, node := range b.nodes {
		try := r.Clone(r.Context())
		try.URL.Host = node
		answer, err = b.transport.RoundTrip(try)
		var failed *net.OpError
		if err == nil || !errors.As(err, &failed) || failed.Op != "dial" {
			return answer, err
		}
	}
	return nil, err
}

// nodeRunner builds imserver, and returns a function that starts nodes of it on one database, Redis and bucket.
// kill ends a node without a shutdown, as a power cut does.
func nodeRunner(t *testing.T) func() (addr string, kill func()) {
	t.Helper()
	redis, prefix := needs.Redis(t)
	endpoint, bucket := needs.S3(t)
	db := needs.MySQL(t)
	folder := t.TempDir()
	binary := filepath.Join(folder, "imserver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cmd/imserver").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func() (string, func()) {
		t.Helper()
		cmd := exec.Command(binary, "--addr=127.0.0.1:0", "--log-format=json", "--message-rate=0",
			"--redis="+redis, "--redis-prefix="+prefix, "--blob=s3://"+bucket+"?endpoint="+url.QueryEscape(endpoint))
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "IM_DB="+db, "IM_JWT_SECRET="+strings.Repeat("secret", 6))
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var logged strings.Builder
		lines, done := bufio.NewScanner(stderr), make(chan struct{})
		kill := sync.OnceFunc(func() {
			_ = cmd.Process.Kill()
			<-done
			_ = cmd.Wait()
		})
		for lines.Scan() {
			logged.WriteString(lines.Text() + "\n")
			var line struct{ Msg, API string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "imserver is up" {
				go func() { // read the rest of the log
					defer close(done)
					for lines.Scan() {
					}
				}()
				t.Cleanup(kill)
				return strings.TrimSuffix(strings.TrimPrefix(line.API, "http://"), "/api"), kill
			}
		}
		close(done)
		kill()
		t.Fatalf("imserver did not start:\n%s", &logged)
		return "", nil
	}
}
