package httpmetrics_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/httpmetrics"
	"github.com/onemeter/onemeter/telemetry/telemetrytest"
)

const asked = "http_client_request_duration_seconds_count"

// collected returns the names that a reader of the SDK gets.
func collected(t *testing.T, r *sdkmetric.ManualReader) (names []string) {
	t.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.Collect(t.Context(), &rm); err != nil {
		t.Fatal(err)
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			names = append(names, m.Name)
		}
	}
	return names
}

// Responses of a real server are distinguished by status, failures by error.type.
func TestTransport(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			<-r.Context().Done()
		case "/cut":
			panic(http.ErrAbortHandler)
		case "/ws":
			w.Header().Set("Upgrade", "x")
			w.WriteHeader(http.StatusSwitchingProtocols)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if strings.HasPrefix(addr, "nowhere.example:") {
			return nil, &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	port := func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return u.Port()
	}
	for name, c := range map[string]struct {
		method, url string
		canceled    bool
		late        bool
		want        string
	}{
		"answered":       {url: s.URL + "/items/7?q=1", want: `{error_type="404",http_request_method="GET",http_response_status_code="404",network_protocol_version="1.1",server_address="127.0.0.1",server_port="PORT"} 1`},
		"other method":   {method: "BREW", url: s.URL, want: `{error_type="404",http_request_method="_OTHER",http_response_status_code="404",network_protocol_version="1.1",server_address="127.0.0.1",server_port="PORT"} 1`},
		"upgraded":       {url: s.URL + "/ws"},
		"cut off":        {url: s.URL + "/cut", want: `{error_type="connection_error",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"canceled":       {url: s.URL + "/late", canceled: true, want: `{error_type="canceled",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"too late":       {url: s.URL + "/late", late: true, want: `{error_type="timeout",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"refused":        {url: "http://" + closed.Addr().String(), want: `{error_type="connection_error",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"unknown host":   {url: "http://nowhere.example", want: `{error_type="name_resolution_error",http_request_method="GET",server_address="nowhere.example",server_port="80"} 1`},
		"not trusted":    {url: secure.URL, want: `{error_type="secure_connection_error",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"no TLS":         {url: strings.Replace(s.URL, "http:", "https:", 1), want: `{error_type="secure_connection_error",http_request_method="GET",server_address="127.0.0.1",server_port="PORT"} 1`},
		"unknown scheme": {url: "gopher://[::1]:70", want: `{error_type="_OTHER",http_request_method="GET",server_address="::1",server_port="70"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			rec := telemetrytest.New(t)
			client := http.Client{Transport: httpmetrics.Transport(base, httpmetrics.WithMeterProvider(rec))}
			defer client.CloseIdleConnections()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.canceled {
				cancel()
			}
			if c.late {
				ctx, cancel = context.WithTimeout(ctx, 0)
				defer cancel()
			}
			r, err := http.NewRequestWithContext(ctx, c.method, c.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if resp, err := client.Do(r); err == nil {
				resp.Body.Close()
			}
			want := []string{strings.Replace(c.want, "PORT", port(c.url), 1)}
			if c.want == "" {
				want = nil
			}
			if got := series(rec, asked); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

// sent answers without a network.
type sent func(*http.Request) (*http.Response, error)

func (f sent) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// However many servers a program calls, and whatever they answer, there are few series, and responses are unchanged.
func TestTransportOfManyServers(t *testing.T) {
	rec := telemetrytest.New(t)
	answers := 0
	transport := httpmetrics.Transport(sent(func(*http.Request) (*http.Response, error) {
		answers++
		if answers%10 == 0 {
			return nil, errors.New("a new kind of error")
		}
		return &http.Response{StatusCode: answers, ProtoMajor: answers % 12, Body: http.NoBody}, nil
	}), httpmetrics.WithMeterProvider(rec), httpmetrics.WithFilter(func(r *http.Request) bool { return r.URL.Path != "/skip" }))
	for i := range 3000 {
		r := httptest.NewRequest(http.MethodGet, fmt.Sprintf("http://host-%d.example:99999/", i), nil)
		resp, err := transport.RoundTrip(r)
		if (err == nil) == (resp == nil) || resp != nil && resp.StatusCode != answers {
			t.Fatalf("answer %d: %v, %v", answers, resp, err)
		}
	}
	if resp, err := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://a.example/skip", nil)); err != nil || resp == nil {
		t.Error(err)
	}
	hosts := map[string]bool{}
	lines := series(rec, asked)
	for _, line := range lines {
		_, rest, _ := strings.Cut(line, `server_address="`)
		host, _, _ := strings.Cut(rest, `"`)
		hosts[host] = true
	}
	if len(hosts) != 101 || !hosts["_OTHER"] {
		t.Errorf("%d servers are told apart", len(hosts))
	}
	if got := rec.Count("http.client.request.duration"); got != 2999 { // one was 101
		t.Errorf("%d requests were counted", got)
	}
	if len(lines) > 1000 {
		t.Errorf("%d series", len(lines))
	}
}

// A context that ends with the program's own error is still recorded as canceled or timeout.
func TestTransportTellsCauses(t *testing.T) {
	s := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	for want, end := range map[string]func(context.Context) (context.Context, func()){
		"canceled": func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("the user left")) })
			return ctx, func() { cancel(nil) }
		},
		"timeout": func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeoutCause(ctx, 20*time.Millisecond, errors.New("the budget is spent"))
			return ctx, cancel
		},
	} {
		rec := telemetrytest.New(t)
		client := http.Client{Transport: httpmetrics.Transport(nil, httpmetrics.WithMeterProvider(rec))}
		ctx, cancel := end(t.Context())
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(r); err == nil {
			resp.Body.Close()
		}
		cancel()
		if got := series(rec, asked); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("{error_type=%q,", want)) {
			t.Errorf("%s: %q", want, got)
		}
	}
}

// A certificate that cannot be verified is recorded as such, also if the error is wrapped.
func TestErrorsOfTransport(t *testing.T) {
	for want, err := range map[string]error{
		"secure_connection_error": &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"timeout":                 fmt.Errorf("reading: %w", os.ErrDeadlineExceeded),
		"connection_error":        fmt.Errorf("reading: %w", io.ErrUnexpectedEOF),
		"canceled":                fmt.Errorf("%w", context.Canceled),
		"_OTHER":                  errors.New("strange"),
	} {
		rec := telemetrytest.New(t)
		transport := httpmetrics.Transport(sent(func(*http.Request) (*http.Response, error) { return nil, err }), httpmetrics.WithMeterProvider(rec))
		if _, got := transport.RoundTrip(httptest.NewRequest(http.MethodGet, "http://a.example/", nil)); !errors.Is(got, err) {
			t.Errorf("the error %v became %v", err, got)
		}
		if got := series(rec, asked); len(got) != 1 || !strings.HasPrefix(got[0], fmt.Sprintf("{error_type=%q,", want)) {
			t.Errorf("%v: %q", err, got)
		}
	}
}
