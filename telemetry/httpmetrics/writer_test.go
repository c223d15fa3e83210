package httpmetrics_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// abilities are the optional interfaces of a ResponseWriter.
func abilities(w http.ResponseWriter) string {
	_, flush := w.(http.Flusher)
	_, hijack := w.(http.Hijacker)
	_, read := w.(io.ReaderFrom)
	_, push := w.(http.Pusher)
	return fmt.Sprintf("flush %v, hijack %v, read %v, push %v", flush, hijack, read, push)
}

// tried calls the optional methods of a ResponseWriter.
func tried(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
	}
	if h, ok := w.(http.Hijacker); ok {
		_, _, _ = h.Hijack()
	}
	if r, ok := w.(io.ReaderFrom); ok {
		_, _ = r.ReadFrom(strings.NewReader("x"))
	}
	if p, ok := w.(http.Pusher); ok {
		_ = p.Push("/", nil)
	}
}

// Each of these has one optional method, and remembers that it was called.
type (
	calls    struct{ flush, hijack, read, push int }
	flusher  struct{ *calls }
	hijacker struct{ *calls }
	reader   struct{ *calls }
	pusher   struct{ *calls }
)

func (f flusher) Flush() { f.flush++ }
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h.hijack++
	return nil, nil, errors.New("not now")
}
func (r reader) ReadFrom(from io.Reader) (int64, error) {
	r.read++
	return io.Copy(io.Discard, from)
}
func (p pusher) Push(string, *http.PushOptions) error {
	p.push++
	return http.ErrNotSupported
}

// The handler's writer has the optional interfaces of the one outside, and no others.
func TestWriterHasTheAbilitiesOfTheOneOutside(t *testing.T) {
	plain := struct{ http.ResponseWriter }{httptest.NewRecorder()} // the recorder can flush: hide it
	asked := &calls{}
	f, h, r, p := flusher{asked}, hijacker{asked}, reader{asked}, pusher{asked}
	for _, w := range []http.ResponseWriter{
		plain,
		struct {
			http.ResponseWriter
			http.Flusher
		}{plain, f},
		struct {
			http.ResponseWriter
			http.Hijacker
		}{plain, h},
		struct {
			http.ResponseWriter
			io.ReaderFrom
		}{plain, r},
		struct {
			http.ResponseWriter
			http.Flusher
			http.Hijacker
		}{plain, f, h},
		struct {
			http.ResponseWriter
			http.Flusher
			io.ReaderFrom
		}{plain, f, r},
		struct {
			http.ResponseWriter
			http.Hijacker
			io.ReaderFrom
		}{plain, h, r},
		struct {
			http.ResponseWriter
			http.Flusher
			http.Hijacker
			io.ReaderFrom
		}{plain, f, h, r},
		struct {
			http.ResponseWriter
			http.Flusher
			http.Pusher
		}{plain, f, p},
	} {
		var got string
		*asked = calls{}
		tried(w)
		direct := *asked
		*asked = calls{}
		httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			got = abilities(w)
			tried(w)
		}), httpmetrics.WithMeterProvider(telemetrytest.New(t))).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if want := abilities(w); got != want {
			t.Errorf("it can %s, want %s", got, want)
		}
		if *asked != direct {
			t.Errorf("the one outside was asked %+v, want %+v", *asked, direct)
		}
	}
}

// With real servers of both versions, a handler has what net/http offers, and http.ResponseController works.
func TestRealWriters(t *testing.T) {
	for protocol, want := range map[string]string{
		"HTTP/1.1": "flush true, hijack true, read true, push false", "HTTP/2.0": "flush true, hijack false, read false, push true",
	} {
		t.Run(protocol, func(t *testing.T) {
			rec := telemetrytest.New(t)
			s := httptest.NewUnstartedServer(httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if got := abilities(w); got != want || r.Proto != protocol {
					t.Errorf("%s can %s", r.Proto, got)
				}
				rc := http.NewResponseController(w)
				for _, err := range []error{rc.SetReadDeadline(time.Now().Add(time.Minute)), rc.SetWriteDeadline(time.Now().Add(time.Minute)), rc.EnableFullDuplex(), rc.Flush()} {
					if err != nil {
						t.Error(err)
					}
				}
			}), httpmetrics.WithMeterProvider(rec)))
			s.EnableHTTP2 = protocol == "HTTP/2.0"
			s.StartTLS()
			defer s.Close()
			if err := ask(t, s, http.MethodGet, "/", nil); err != nil {
				t.Fatal(err)
			}
			s.Close()
			version := strings.TrimSuffix(strings.TrimPrefix(protocol, "HTTP/"), ".0")
			labels := fmt.Sprintf(`{http_request_method="GET",http_response_status_code="200",network_protocol_version=%q,url_scheme="https"} 1`, version)
			if got := series(rec, durations+"_count"); !slices.Equal(got, []string{labels}) {
				t.Errorf("%q, want %s", got, labels)
			}
		})
	}
}

// A hijacked connection is in no histogram and no longer active, whatever the handler does then.
func TestHijackedIsNoLatency(t *testing.T) {
	for name, c := range map[string]struct {
		through func(http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error)
		before  func(http.ResponseWriter)
		upgrade bool
		status  int
	}{
		"by assertion": {through: func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() }, upgrade: true, status: 101},
		"by controller": {through: func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			return http.NewResponseController(w).Hijack()
		}, upgrade: true, status: 101},
		"with a status": {through: func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) {
			w.WriteHeader(http.StatusSwitchingProtocols)
			return w.(http.Hijacker).Hijack()
		}, status: 101},
		"of no protocol": {through: func(w http.ResponseWriter) (net.Conn, *bufio.ReadWriter, error) { return w.(http.Hijacker).Hijack() }},
	} {
		t.Run(name, func(t *testing.T) {
			rec := telemetrytest.New(t)
			result := make(chan httpmetrics.Result, 1)
			h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := c.through(w)
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				if got := rec.Sum("http.server.active_requests"); got != 0 {
					t.Errorf("%v requests are active while the connection is another's", got)
				}
				for range 2 {
					w.WriteHeader(http.StatusTeapot)
					if _, err := w.Write([]byte("x")); !errors.Is(err, http.ErrHijacked) {
						t.Errorf("Write after Hijack: %v", err)
					}
				}
			}), httpmetrics.WithMeterProvider(rec), httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { result <- r }))
			// The outer writer can hijack only through Unwrap.
			s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(unwrapping{w}, r) }))
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			request := "GET /ws HTTP/1.1\r\nHost: x\r\n"
			if c.upgrade {
				request += "Connection: Upgrade\r\nUpgrade: websocket\r\n"
			}
			fmt.Fprint(conn, request+"\r\n")
			r := <-result
			if r.Status != c.status || !r.Upgraded {
				t.Errorf("result %+v", r)
			}
			for _, name := range []string{durations, bodiesIn, bodiesOut} {
				if got := series(rec, name+"_count"); len(got) > 0 {
					t.Errorf("%s%q", name, got)
				}
			}
			if got := rec.Sum("http.server.active_requests"); got != 0 {
				t.Errorf("%v requests are active", got)
			}
		})
	}
}

type unwrapping struct{ http.ResponseWriter }

func (u unwrapping) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// If hijacking fails, the request is counted as usual.
func TestHijackFails(t *testing.T) {
	rec := telemetrytest.New(t)
	h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if _, _, err := w.(http.Hijacker).Hijack(); err == nil {
			t.Error("hijacked")
		}
		w.WriteHeader(http.StatusUpgradeRequired)
	}), httpmetrics.WithMeterProvider(rec))
	h.ServeHTTP(struct {
		http.ResponseWriter
		http.Hijacker
	}{httptest.NewRecorder(), hijacker{&calls{}}}, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := series(rec, durations+"_count"); len(got) != 1 || !strings.Contains(got[0], `http_response_status_code="426"`) {
		t.Errorf("%q", got)
	}
}
