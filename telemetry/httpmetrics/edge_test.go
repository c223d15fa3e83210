package httpmetrics_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

// For CONNECT to a subtree without its slash, http.ServeMux sets the path itself as the pattern.
func TestConnectMakesNoRoute(t *testing.T) {
	rec := telemetrytest.New(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/tenants/{id}/", func(http.ResponseWriter, *http.Request) {})
	h := httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(rec))
	for i := range 1100 {
		r := httptest.NewRequest(http.MethodConnect, "/", nil)
		r.URL.Path = fmt.Sprintf("/tenants/evil%d", i)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/tenants/7/", nil))
	got := series(rec, durations+"_count")
	if len(got) != 2 || !strings.Contains(strings.Join(got, "\n"), `http_route="/tenants/{id}/"`) {
		t.Errorf("%d series: %.500q", len(got), got)
	}
}

// A client that waits for the response before it sends its body gets the response.
func TestAnswerBeforeTheBody(t *testing.T) {
	rec := telemetrytest.New(t)
	s := serve(t, httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write(make([]byte, 5000))
		w.(http.Flusher).Flush()
	}), httpmetrics.WithMeterProvider(rec)))
	for name, head := range map[string]string{
		"expect": "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n", "huge": "Content-Length: 1000000\r\n\r\nbegun",
	} {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: x\r\n"+head)
		if line, err := bufio.NewReader(conn).ReadString('\n'); !strings.HasPrefix(line, "HTTP/1.1 401") {
			t.Errorf("%s: %q, %v", name, line, err)
		}
	}
}

// What a handler leaves in its request is visible outside: net/http removes the files of a form.
func TestFormsLeaveNoFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var pattern string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload", func(_ http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			t.Error(err)
		}
		if files, _ := os.ReadDir(os.TempDir()); len(files) == 0 {
			t.Error("the form is in no file")
		}
	})
	h := httpmetrics.Handler(mux, httpmetrics.WithMeterProvider(telemetrytest.New(t)))
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r)
		pattern = r.Pattern
	}))
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = part.Write(bytes.Repeat([]byte("x"), 11<<20)) // some of it is kept in memory
	form.Close()
	resp, err := s.Client().Post(s.URL+"/upload", form.FormDataContentType(), &body)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	s.Close()
	if files, _ := os.ReadDir(os.TempDir()); len(files) > 0 || pattern != "POST /upload" {
		t.Errorf("%d files are left, the pattern is %q", len(files), pattern)
	}
}

// If a server shuts down with its base context, its response counts; a client that only stops sending gets its
// response.
func TestAnsweredIsNotCanceled(t *testing.T) {
	rec := telemetrytest.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := httptest.NewUnstartedServer(httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
		w.WriteHeader(http.StatusCreated)
	}), httpmetrics.WithMeterProvider(rec)))
	s.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	s.Start()
	defer s.Close()
	if err := ask(t, s, http.MethodGet, "/", nil); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got := series(rec, durations+"_count"); len(got) != 1 || !strings.Contains(got[0], `http_response_status_code="201"`) {
		t.Errorf("%q", got)
	}
}

// The timeout of http.Client is recorded as "timeout".
func TestTimeoutOfTheClient(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	rec := telemetrytest.New(t)
	client := http.Client{Transport: httpmetrics.Transport(nil, httpmetrics.WithMeterProvider(rec)), Timeout: 5 * time.Millisecond}
	for range 50 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
		}
	}
	if got := series(rec, asked); len(got) != 1 || !strings.HasPrefix(got[0], `{error_type="timeout",`) {
		t.Errorf("%q", got)
	}
}

// A route of WithRoute is used unchanged.
func TestWithRouteIsTakenAsItIs(t *testing.T) {
	for _, route := range []string{"items/{id}", "acme.Shop/Buy", "^/items/[0-9]+$"} {
		var got httpmetrics.Result
		h := httpmetrics.Handler(http.NotFoundHandler(), httpmetrics.WithMeterProvider(telemetrytest.New(t)),
			httpmetrics.WithRoute(func(*http.Request) string { return route }),
			httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { got = r }))
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
		if got.Route != route {
			t.Errorf("the route %q became %q", route, got.Route)
		}
	}
}

// Inside http.TimeoutHandler, a late response is recorded as a timeout.
func TestInsideTimeoutHandler(t *testing.T) {
	rec := telemetrytest.New(t)
	result := make(chan httpmetrics.Result, 1)
	h := http.TimeoutHandler(httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		for {
			if _, err := w.Write([]byte("x")); errors.Is(err, http.ErrHandlerTimeout) {
				return
			}
		}
	}), httpmetrics.WithMeterProvider(rec), httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { result <- r })), time.Millisecond, "")
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	if r := <-result; r.Status != 0 || r.ErrorType != "timeout" {
		t.Errorf("%+v", r)
	}
}

// The routes of upgraded connections are limited like all others.
func TestRoutesOfUpgradesAreBounded(t *testing.T) {
	routes := map[string]bool{}
	h := httpmetrics.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }),
		httpmetrics.WithMeterProvider(telemetrytest.New(t)), httpmetrics.WithRoute(func(r *http.Request) string { return r.URL.Path }),
		httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { routes[r.Route] = true }))
	for i := range 3000 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("/ws/%d", i), nil))
	}
	if len(routes) != 1001 || !routes["_OTHER"] {
		t.Errorf("%d routes", len(routes))
	}
}

// The environment sets the known methods. Without it, QUERY is one of them.
func TestKnownMethods(t *testing.T) {
	const alone = "HTTPMETRICS_TEST_ALONE"
	if os.Getenv(alone) == "" {
		test := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		test.Env = append(os.Environ(), alone+"=1", "OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS= GET,BREW,,")
		if out, err := test.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	var got []string
	h := httpmetrics.Handler(http.NotFoundHandler(), httpmetrics.WithMeterProvider(telemetrytest.New(t)),
		httpmetrics.WithResult(func(_ context.Context, r httpmetrics.Result) { got = append(got, r.Method) }))
	for _, m := range []string{"GET", "QUERY", "BREW", "get"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(m, "/", nil))
	}
	want := []string{"GET", "QUERY", "_OTHER", "_OTHER"}
	if os.Getenv(alone) != "" {
		want = []string{"GET", "_OTHER", "BREW", "_OTHER"}
	}
	if !slices.Equal(got, want) {
		t.Errorf("methods %q, want %q", got, want)
	}
}

// An invalid status and a TLS alert are recorded as such.
func TestStrangeAnswers(t *testing.T) {
	for want, answer := range map[string]sent{
		"_OTHER": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 999, Body: http.NoBody}, nil
		},
		"secure_connection_error": func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "remote error", Err: errors.New("tls: protocol version not supported")}
		},
	} {
		rec := telemetrytest.New(t)
		_, _ = httpmetrics.Transport(answer, httpmetrics.WithMeterProvider(rec)).RoundTrip(httptest.NewRequest(http.MethodGet, "http://a.example/", nil))
		if got := series(rec, asked); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("{error_type=%q,", want)) {
			t.Errorf("%q, want %s", got, want)
		}
	}
}
