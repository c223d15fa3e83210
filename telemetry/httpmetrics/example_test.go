package httpmetrics_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
	"github.com/onemeter/onemeter/telemetry/httpmetrics"
)

func ExampleHandler() {
	p, err := telemetry.Setup(context.Background(), telemetry.WithService("shop", "1.0"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(context.Background()) }()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "item", r.PathValue("id")) })
	mux.Handle("GET /metrics", p.Handler())
	h := httpmetrics.Handler(mux) // for http.ListenAndServe

	for _, path := range []string{"/items/7", "/items/8", "/wp-login.php"} {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, nil))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "http_server_request_duration_seconds_count") {
			fmt.Print(line)
		}
	}
	// Unordered output:
	// http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/items/{id}",network_protocol_version="1.1",url_scheme="http"} 2
	// http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="404",network_protocol_version="1.1",url_scheme="http"} 1
}

func ExampleTransport() {
	shop := httptest.NewServer(http.NotFoundHandler())
	defer shop.Close()
	ctx := context.Background()
	p, err := telemetry.New(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()

	client := &http.Client{Transport: httpmetrics.Transport(nil, httpmetrics.WithMeterProvider(p))} // nil: http.DefaultTransport
	resp, err := client.Get(shop.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()

	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	port := regexp.MustCompile(`server_port="\d+"`)
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "http_client_request_duration_seconds_count") {
			fmt.Print(port.ReplaceAllString(line, `server_port="…"`))
		}
	}
	// Output:
	// http_client_request_duration_seconds_count{error_type="404",http_request_method="GET",http_response_status_code="404",network_protocol_version="1.1",server_address="127.0.0.1",server_port="…"} 1
}

// With otelhttp for spans, turn its metrics off.
func Example_otelhttp() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "item", r.PathValue("id")) })

	h := otelhttp.NewHandler(httpmetrics.Handler(mux), "", otelhttp.WithMeterProvider(noop.NewMeterProvider()))

	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/items/7", nil))
	fmt.Print(w.Body)
	// Output: item 7
}

// To keep otelhttp's metrics instead, a view prevents clients from creating series.
func Example_otelhttpMetrics() {
	ctx := context.Background()
	p, err := telemetry.New(ctx, telemetry.WithoutRuntime(), telemetry.WithView(sdkmetric.NewView(
		sdkmetric.Instrument{Name: "http.server.*"},
		sdkmetric.Stream{AttributeFilter: attribute.NewDenyKeysFilter("server.address", "server.port")},
	)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = p.Shutdown(ctx) }()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /items/{id}", func(http.ResponseWriter, *http.Request) {})
	h := otelhttp.NewHandler(mux, "", otelhttp.WithMeterProvider(p))

	for i := range 100 {
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprintf("http://host-%d.example/items/7", i), nil))
	}
	w := httptest.NewRecorder()
	p.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "http_server_request_duration_seconds_count") {
			fmt.Print(line)
		}
	}
	// Output:
	// http_server_request_duration_seconds_count{http_request_method="GET",http_response_status_code="200",http_route="/items/{id}",network_protocol_name="http",network_protocol_version="1.1",url_scheme="http"} 100
}
