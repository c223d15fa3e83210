package compat_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/otlp" // the environment asks for it
)

// An outageKind is a way in which a receiver can be unreachable.
type outageKind struct {
	name, protocol, reason string
	begin, end             func(*collector)
	answers503             bool // by a server in the collector's place
}

var outageKinds = []outageKind{
	{name: "hanging", protocol: "grpc", reason: "timeout", begin: (*collector).freeze, end: (*collector).thaw},
	{name: "hanging", protocol: "http/protobuf", reason: "timeout", begin: (*collector).freeze, end: (*collector).thaw},
	{name: "killed", protocol: "grpc", reason: "connect", begin: (*collector).kill, end: (*collector).start},
	{name: "killed", protocol: "http/protobuf", reason: "connect", begin: (*collector).kill, end: (*collector).start},
	{name: "503", protocol: "http/protobuf", reason: "unavailable", answers503: true},
}

// The receiver goes away and comes back. Meanwhile the process records and is scraped as before, uses no more memory,
// and logs it once; afterwards the receiver has every count. The same holds for a receiver that was never there.
func TestOutageDrill(t *testing.T) {
	for _, kind := range outageKinds {
		t.Run(kind.name+" "+kind.protocol, func(t *testing.T) { drill(t, kind) })
	}
}

func drill(t *testing.T, kind outageKind) {
	c := newCollector(t)
	c.environment(t, kind.protocol)
	if kind.answers503 {
		kind.begin, kind.end = answering503(t, c)
	}
	for name, value := range map[string]string{
		"OTEL_METRIC_EXPORT_INTERVAL": "50", "OTEL_METRIC_EXPORT_TIMEOUT": "400", "OTEL_EXPORTER_OTLP_TIMEOUT": "300",
		"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BSP_EXPORT_TIMEOUT": "400", "OTEL_TRACES_SAMPLER": "always_on",
	} {
		t.Setenv(name, value)
	}
	log, strays := listen(t)
	p, err := telemetry.New(t.Context(), telemetry.WithService("drill", "1"), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	w := newWorker(t, p)
	arrived := func() bool { return w.shown(c) == w.done }

	calm := w.work()
	eventually(t, "what was counted is shown", arrived)

	kind.begin(c)
	eventually(t, "pushes of both signals fail", func() bool {
		w.span("lost")
		return w.failed("metrics", "") > 0 && w.failed("traces", "") > 0
	})
	before := heap()
	stormy := w.work()
	many := w.failed("metrics", "") + 5
	eventually(t, "pushes go on failing", func() bool { return w.failed("metrics", "") >= many })
	for range 10_000 { // five times as many spans as the queue holds
		w.span("lost")
	}
	grown := int64(heap()) - int64(before)
	if stormy.record > 20*calm.record || stormy.scrape > 20*calm.scrape { // if recording waited for an export, it would take 1000 times as long
		t.Errorf("recording and scrapes take %v, before %v", stormy, calm)
	}
	if grown > 16<<20 { // only the queue of spans may grow
		t.Errorf("the heap grew by %d bytes", grown)
	}
	if n := w.failed("metrics", kind.reason); n == 0 {
		t.Errorf("no failure counted as %q: %v", kind.reason, w.family("telemetry_export_errors_total"))
	}

	kind.end(c)
	eventually(t, "every count is shown after the return", arrived)
	eventually(t, "spans arrive after the return", func() bool {
		w.span("after the return")
		return strings.Contains(c.logged(), "after the return")
	})
	for _, signal := range []string{"metrics", "traces"} {
		eventually(t, "the return is told", func() bool { return log.count("push works again", signal) > 0 })
		if fails, returns := log.count("push fails", signal), log.count("push works again", signal); fails != 1 || returns != 1 {
			t.Errorf("%s: told %d times that pushes fail, and %d that they work again:\n%s", signal, fails, returns, log)
		}
	}
	if n := strays.Load(); n > 0 {
		t.Errorf("OpenTelemetry's error handler was called %d times", n)
	}

	failed := w.failed("metrics", kind.reason)
	kind.begin(c)
	begin := time.Now()
	err = p.Shutdown(context.Background())
	if took := time.Since(begin); took > 15*time.Second { // 5 s are promised
		t.Errorf("Shutdown took %v", took)
	}
	if err == nil {
		t.Error("Shutdown did not say that the last counts were not sent")
	}
	t.Logf("%-8s %-14s record %v (calm %v), scrape %v (calm %v), %v pushes failed as %s, heap %+d KB, Shutdown %v: %v",
		kind.name, kind.protocol, stormy.record, calm.record, stormy.scrape, calm.scrape, failed, kind.reason,
		grown>>10, time.Since(begin).Round(time.Millisecond), err)
}

// A receiver that is unreachable at start does not prevent the start, and is logged once.
func TestStartsWithoutReceiver(t *testing.T) {
	for _, protocol := range []string{"grpc", "http/protobuf"} {
		t.Run(protocol, func(t *testing.T) {
			c := newCollector(t)
			c.kill()
			c.environment(t, protocol)
			t.Setenv("OTEL_METRIC_EXPORT_INTERVAL", "50")
			t.Setenv("OTEL_METRIC_EXPORT_TIMEOUT", "200")
			log, _ := listen(t)
			p, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
			if err != nil {
				t.Fatal(err)
			}
			w := newWorker(t, p)
			w.work()
			eventually(t, "pushes fail", func() bool { return w.failed("metrics", "connect") > 3 })
			c.start()
			eventually(t, "the counts are shown", func() bool { return w.shown(c) == w.done })
			if n := log.count("push fails", "metrics"); n != 1 {
				t.Errorf("told %d times:\n%s", n, log)
			}
			if err := p.Shutdown(t.Context()); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// answering503 puts a proxy before the collector, which answers 503 while begun is set.
func answering503(t *testing.T, c *collector) (begin, end func(*collector)) {
	var away atomic.Bool
	direct := &http.Client{Timeout: patience}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			http.Error(w, "come back later", http.StatusServiceUnavailable)
			return
		}
		req := r.Clone(r.Context())
		req.URL.Scheme, req.URL.Host, req.RequestURI = "http", c.http, ""
		resp, err := direct.Do(req)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
	}))
	t.Cleanup(srv.Close)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", srv.URL)
	return func(*collector) { away.Store(true) }, func(*collector) { away.Store(false) }
}

// A worker acts like a process, and counts what it does.
type worker struct {
	t    *testing.T
	p    *telemetry.Provider
	hits metric.Int64Counter
	opt  metric.AddOption
	done float64
}

func newWorker(t *testing.T, p *telemetry.Provider) *worker {
	opt := metric.WithAttributeSet(attribute.NewSet(attribute.String("path", "/a")))
	return &worker{t: t, p: p, hits: must(p.Meter("drill").Int64Counter("drill.hits")), opt: opt}
}

// A pace is the median time of one recording and one scrape.
type pace struct{ record, scrape time.Duration }

func (w *worker) work() pace {
	const rounds, each = 50, 1000
	records, scrapes := make([]time.Duration, rounds), make([]time.Duration, rounds)
	for i := range rounds {
		begin := time.Now()
		for range each {
			w.hits.Add(w.t.Context(), 1, w.opt)
		}
		records[i] = time.Since(begin) / each
		begin = time.Now()
		page(w.t, w.p, acceptText)
		scrapes[i] = time.Since(begin)
		w.span("work")
	}
	w.done += rounds * each
	slices.Sort(records)
	slices.Sort(scrapes)
	return pace{records[rounds/2], scrapes[rounds/2]}
}

func (w *worker) span(name string) {
	_, span := w.p.TracerProvider().Tracer("drill").Start(w.t.Context(), name)
	span.End()
}

// shown returns the hits on the collector's page.
func (w *worker) shown(c *collector) float64 {
	for _, m := range families(w.t, c.scrape(acceptText))["drill_hits_total"].GetMetric() {
		return m.GetCounter().GetValue()
	}
	return 0
}

// failed returns the number of failed exports, for one reason or for any.
func (w *worker) failed(signal, reason string) (n float64) {
	for _, m := range w.family("telemetry_export_errors_total").GetMetric() {
		labels := map[string]string{}
		for _, l := range m.Label {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["signal"] == signal && (reason == "" || labels["reason"] == reason) {
			n += m.GetCounter().GetValue()
		}
	}
	return n
}

func (w *worker) family(name string) *dto.MetricFamily {
	return families(w.t, page(w.t, w.p, acceptText))[name]
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A journal is what was logged.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// listen collects the log, and counts calls of OpenTelemetry's own error handler, until t ends.
func listen(t *testing.T) (*journal, *atomic.Int64) {
	j, strays := &journal{}, &atomic.Int64{}
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(j, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		strays.Add(1)
		fmt.Println("stray:", err)
	}))
	return j, strays
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// count returns the number of lines with both words.
func (j *journal) count(what, signal string) (n int) {
	for line := range strings.Lines(j.String()) {
		if strings.Contains(line, what) && strings.Contains(line, "signal="+signal) {
			n++
		}
	}
	return n
}
