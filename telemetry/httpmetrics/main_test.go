package httpmetrics_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Families of which a server has one series for each kind of request.
const (
	durations = "http_server_request_duration_seconds"
	bodiesIn  = "http_server_request_body_size_bytes"
	bodiesOut = "http_server_response_body_size_bytes"
	active    = "http_server_active_requests"
)

// series returns the lines of the page that begin with a name, without the name.
func series(rec *telemetrytest.Recorder, name string) (out []string) {
	for line := range strings.Lines(rec.Exposition()) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name+"{"); ok {
			out = append(out, "{"+rest)
		}
	}
	return out
}

// serve starts a real server and discards its log.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// ask sends a request and reads the whole response.
func ask(t *testing.T, s *httptest.Server, method, path string, body io.Reader) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}
