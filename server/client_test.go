package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
	"github.com/onemeter/onemeter/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

// An app is a server that runs, used over the network only.
type app struct {
	url, metricsURL string
	flush           func(context.Context) error
	stop            func() error // once: shuts down and returns what Run returned

	mu    sync.Mutex
	calls map[string]int // "METHOD template status" of every answer that the clients of the tests got
}

// migrated gives each test a database of its own that has all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
})

// start runs a server with a database of its own until the test ends.
func start(t *testing.T, change func(*server.Config), opts ...telemetry.Option) *app {
	t.Helper()
	dir := t.TempDir()
	cfg := server.DefaultConfig()
	cfg.Addr = "127.0.0.1:0"
	cfg.DB = "sqlite://" + migrated(t)
	cfg.Blob = "file://" + filepath.Join(dir, "files")
	if change != nil {
		change(&cfg)
	}
	tel, err := telemetry.New(t.Context(), opts...)
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	a := &app{url: "http://" + srv.Addr(), metricsURL: "http://" + srv.MetricsAddr(), calls: make(map[string]int), flush: tel.ForceFlush}
	a.stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		if e := tel.Shutdown(context.Background()); err == nil {
			err = e
		}
		return err
	})
	select {
	case <-srv.Up():
	case err := <-done:
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.stop(); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return a
}

// call makes one request, counts its answer, and returns status and body.
// template is the route; args fill its placeholders, in order.
func (a *app) call(t *testing.T, token, method, template string, body any, args ...any) (int, []byte) {
	t.Helper()
	path := template
	for _, arg := range args {
		i := strings.Index(path, "/:") + 1
		end := len(path)
		if j := strings.IndexByte(path[i:], '/'); j >= 0 {
			end = i + j
		}
		path = path[:i] + fmt.Sprint(arg) + path[end:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	answer, err := imclient.Account{URL: a.url, Token: token}.Ask(ctx, method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	route, _, _ := strings.Cut(template, "?")
	a.count(method, route, answer.Status)
	return answer.Status, answer.Body
}

func (a *app) count(method, route string, status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[fmt.Sprintf("%s %s %d", method, route, status)]++
}

// A user is an account and the tokens of one login.
type user struct {
	app     *app
	id      int64
	phone   string
	token   string
	refresh string
}

const password = "correct horse"

// register makes an account.
func (a *app) register(t *testing.T, phone, username string) *user {
	t.Helper()
	account, err := imclient.Register(context.Background(), a.url, imclient.Profile{Phone: phone, Username: username, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	a.count("POST", "/api/auth/register", http.StatusCreated)
	return &user{app: a, id: account.ID, phone: phone, token: account.Token, refresh: account.Refresh}
}

// do makes a request as u, and wants the given status.
func (u *user) do(t *testing.T, want int, method, template string, body any, args ...any) []byte {
	t.Helper()
	status, answer := u.app.call(t, u.token, method, template, body, args...)
	if status != want {
		t.Fatalf("%s %s as user %d: %d, want %d: %s", method, template, u.id, status, want, answer)
	}
	return answer
}

type message = imclient.Message

// send posts a message and returns it.
func (u *user) send(t *testing.T, draft map[string]any) message {
	t.Helper()
	return decode[struct{ Data message }](t, u.do(t, http.StatusOK, "POST", "/api/messages", draft)).Data
}

func decode[T any](t *testing.T, text []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

type frame = imclient.Frame

// A socket is a WebSocket whose frames are read as they come.
type socket struct {
	conn   *imclient.Conn
	frames chan frame
	closed chan struct{} // closed after the last frame
	err    error         // the read error, once closed

	mu                sync.Mutex
	seen              map[string]int // frames by type
	bytesIn, bytesOut int            // of frames of data, framing included
}

// connect opens a WebSocket, which nobody reads.
func (u *user) connect(t *testing.T) *imclient.Conn {
	t.Helper()
	conn, err := imclient.Account{URL: u.app.url, Token: u.token}.Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	u.app.count("GET", "/ws", http.StatusSwitchingProtocols)
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// dial opens a WebSocket and waits for its connect frame.
func (u *user) dial(t *testing.T) *socket {
	t.Helper()
	conn := u.connect(t)
	s := &socket{conn: conn, frames: make(chan frame, 10_000), closed: make(chan struct{}), seen: make(map[string]int)}
	go s.read()
	t.Cleanup(func() {
		_ = conn.CloseNow()
		<-s.closed
	})
	s.expect(t, "connect")
	return s
}

func (s *socket) read() {
	defer close(s.closed)
	defer close(s.frames)
	for {
		f, err := s.conn.ReadFrame(context.Background())
		if err != nil {
			s.err = err
			return
		}
		s.mu.Lock()
		s.seen[f.Type]++
		s.bytesIn += framed(f.Size)
		s.mu.Unlock()
		s.frames <- f
	}
}

// expect returns the next frame of a type; others before it are passed over.
func (s *socket) expect(t *testing.T, frameType string) frame {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				<-s.closed
				t.Fatalf("waiting for %s: %v", frameType, s.err)
			}
			if f.Type == frameType {
				return f
			}
		case <-timeout:
			t.Fatalf("no %s within %s", frameType, patience)
		}
	}
}

// awaits waits until n frames of a type have come in all.
func (s *socket) awaits(t *testing.T, frameType string, n int) {
	t.Helper()
	for deadline := time.Now().Add(patience); s.count(frameType) < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d %s within %s, want %d", s.count(frameType), frameType, patience, n)
		}
	}
}

func (s *socket) write(t *testing.T, frameType string, payload any) {
	t.Helper()
	size, err := s.conn.WriteFrame(context.Background(), frameType, payload)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytesOut += framed(size) + 4
}

// framed is the size of a frame of the server's with so many bytes of data.
// Those of clients have a mask of 4 bytes.
func framed(data int) int {
	switch {
	case data < 126:
		return data + 2
	case data < 1<<16:
		return data + 4
	}
	return data + 10
}

// traffic is what came in and went out so far.
func (s *socket) traffic() (frames, bytesIn, bytesOut int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.seen {
		frames += n
	}
	return frames, s.bytesIn, s.bytesOut
}

func (s *socket) count(frameType string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[frameType]
}

// A page is a scrape: the value of each sample, by name and sorted labels, and
// the families by name.
type page struct {
	samples  map[string]float64
	families map[string]*dto.MetricFamily
}

func (a *app) scrape(t *testing.T) page {
	t.Helper()
	res, err := http.Get(a.metricsURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("/metrics: %s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatalf("/metrics: %v", err)
	}
	p := page{samples: make(map[string]float64), families: families}
	for name, family := range families {
		for _, m := range family.Metric {
			p.samples[name+labels(m)] = value(m)
		}
	}
	return p
}

func labels(m *dto.Metric) string {
	parts := make([]string, len(m.Label))
	for i, l := range m.Label {
		parts[i] = fmt.Sprintf("%s=%q", l.GetName(), l.GetValue())
	}
	if len(parts) == 0 {
		return ""
	}
	return "{" + strings.Join(parts, ",") + "}" // sorted on the page
}

// value is that of a counter or gauge, and the count of a histogram.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	return 0
}

// sum adds up the samples of a family.
func (p page) sum(name string) float64 {
	var total float64
	for key, v := range p.samples {
		if key == name || strings.HasPrefix(key, name+"{") {
			total += v
		}
	}
	return total
}

// eventually waits until the page fulfils ok: what a client has seen, the
// server counts a moment later.
func (a *app) eventually(t *testing.T, what string, ok func(page) bool) page {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		p := a.scrape(t)
		if ok(p) {
			return p
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
