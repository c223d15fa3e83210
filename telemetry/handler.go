package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

const (
	defaultScrapeTimeout = 10 * time.Second // Prometheus's own default
	maxScrapes           = 8                // at once; more wait for their turn
	leastScrapeTimeout   = 0.01             // in seconds; who says less does not mean it
	mostScrapeTimeout    = 3600
	writeTime            = 30 * time.Second // for a client to read the page
)

// The values of the label reason of telemetry_scrape_errors_total.
const (
	failCollect  = "collect"  // the SDK could not collect
	failExporter = "exporter" // the exporter refused a point
	failGatherer = "gatherer" // a client_golang gatherer failed, panicked or was too late
	failInvalid  = "invalid"  // a gatherer's metric could not be put on the page
	failEncoding = "encoding" // a family could not be written
	failOverload = "overload" // a scrape waited in vain for its turn
	failPanic    = "panic"    // a fault of this package
)

var failures = []string{
	failCollect, failExporter, failGatherer, failInvalid, failEncoding, failOverload, failPanic,
}

// A scraper serves /metrics. Nothing that goes wrong inside the process makes it answer 500: what can be had is
// served, what cannot is counted in telemetry_scrape_errors_total and logged once.
type scraper struct {
	exposition *exposition // nil where the SDK is disabled, and under WithoutPrometheus
	catalog    *catalog
	suppliers  []*supplier
	turns      chan struct{}
	watch      func() // is called at each scrape

	mu     sync.Mutex
	failed func(reason string)
	told   map[string]struct{}  // what was logged
	met    map[meeting]struct{} // what was told of
}

func newScraper(x *exposition, c *catalog, suppliers []*supplier) *scraper {
	return &scraper{
		exposition: x, catalog: c, suppliers: suppliers, turns: make(chan struct{}, maxScrapes), watch: func() {}, failed: func(string) {},
		told: map[string]struct{}{}, met: map[meeting]struct{}{},
	}
}

// fail counts a failure and logs it, once for each reason and text.
func (s *scraper) fail(reason, what string, err error) {
	s.failed(reason)
	s.mu.Lock()
	_, told := s.told[reason+what]
	if !told && len(s.told) < maxConflicts {
		s.told[reason+what] = struct{}{}
	}
	s.mu.Unlock()
	if !told {
		args := []any{"reason", reason}
		if err != nil {
			args = append(args, "error", err)
		}
		slog.Warn("telemetry: "+what+"; the rest of the page is served", args...)
	}
}

func (s *scraper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout(r.Header))
	defer cancel()
	families, ok := s.takeTurn(ctx)
	if !ok {
		s.fail(failOverload, "too many scrapes at once", ctx.Err())
		http.Error(w, "Too many scrapes at once; try again later.", http.StatusServiceUnavailable)
		return
	}
	if r.Context().Err() != nil {
		return // nobody is there to read it
	}
	// A client that reads slowly keeps nobody else waiting, and not for ever this one.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // not every writer can
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	families = distinct(families, format.ToEscapingScheme())
	if format.FormatType() == expfmt.TypeOpenMetrics {
		families = distinctInOpenMetrics(families)
	}
	page := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return families, nil })
	promhttp.HandlerFor(page, promhttp.HandlerOpts{
		ErrorLog: encodeErrors{s, r.Context()}, ErrorHandling: promhttp.ContinueOnError, EnableOpenMetrics: true,
	}).ServeHTTP(w, r)
}

// takeTurn gathers, when it is this scrape's turn.
func (s *scraper) takeTurn(ctx context.Context) ([]*dto.MetricFamily, bool) {
	select {
	case s.turns <- struct{}{}:
	default:
		select {
		case s.turns <- struct{}{}:
		case <-ctx.Done():
			return nil, false
		}
	}
	defer func() { <-s.turns }()
	return s.gather(ctx), true
}

// distinct keeps apart what a reader that takes no UTF-8 names would have under one: 请求 and 错误 are both "__" where
// every other character is "_". Of those that meet, names with other characters are written as their code points.
func distinct(families []*dto.MetricFamily, scheme model.EscapingScheme) []*dto.MetricFamily {
	if scheme == model.NoEscaping || !slices.ContainsFunc(families, func(f *dto.MetricFamily) bool { return !isLegacy(f) }) {
		return families
	}
	names := map[string]int{}
	for _, f := range families {
		names[model.EscapeName(f.GetName(), scheme)]++
	}
	out := slices.Clone(families)
	for i, f := range families {
		if !isLegacy(f) && names[model.EscapeName(f.GetName(), scheme)] > 1 {
			out[i] = shallow(f)
			out[i].Name = new(model.EscapeName(f.GetName(), model.ValueEncodingEscaping))
		}
	}
	return out
}

func isLegacy(f *dto.MetricFamily) bool { return model.LegacyValidation.IsValidMetricName(f.GetName()) }

// distinctInOpenMetrics keeps apart what has one name there: the family of a counter x_total is x, which may be a
// gauge's too, as in client_golang's Go collector, or a counter's that does not end in _total. Such counters are of
// unknown type, and their samples are as they were.
func distinctInOpenMetrics(families []*dto.MetricFamily) []*dto.MetricFamily {
	openMetrics := func(f *dto.MetricFamily) string {
		if f.GetType() == dto.MetricType_COUNTER {
			return rule.Base(f.GetName(), rule.Counter)
		}
		return f.GetName()
	}
	names := make(map[string]int, len(families))
	for _, f := range families {
		names[openMetrics(f)]++
	}
	if len(names) == len(families) {
		return families
	}
	out := slices.Clone(families)
	for i, f := range families {
		if f.GetType() == dto.MetricType_COUNTER && names[openMetrics(f)] > 1 {
			out[i] = untyped(f)
		}
	}
	return out
}

// untyped returns a family of counters as one of unknown type.
func untyped(f *dto.MetricFamily) *dto.MetricFamily {
	out := shallow(f)
	out.Type, out.Unit = dto.MetricType_UNTYPED.Enum(), nil
	for i, m := range f.Metric {
		out.Metric[i] = &dto.Metric{
			Label: m.Label, TimestampMs: m.TimestampMs, Untyped: &dto.Untyped{Value: new(m.GetCounter().GetValue())},
		}
	}
	return out
}

// encodeErrors is where promhttp tells of families that it could not write.
type encodeErrors struct {
	s   *scraper
	ctx context.Context // of the request
}

func (e encodeErrors) Println(v ...any) {
	if e.ctx.Err() != nil {
		return // the client hung up
	}
	for _, x := range v {
		if err, ok := x.(error); ok && isNetwork(err) {
			return // it is hanging up; the context will say so in a moment
		}
	}
	e.s.fail(failEncoding, "a family could not be written", errors.New(fmt.Sprint(v...)))
}

func isNetwork(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// scrapeTimeout leaves a little of the time that Prometheus says it will wait, to write the page.
func scrapeTimeout(h http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(h.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(seconds >= leastScrapeTimeout && seconds <= mostScrapeTimeout) { // NaN is neither
		return defaultScrapeTimeout
	}
	d := time.Duration(seconds * float64(time.Second))
	return d - min(d/5, 500*time.Millisecond)
}

// gather returns the whole page, sorted by family.
func (s *scraper) gather(ctx context.Context) []*dto.MetricFamily {
	runs := s.start(ctx)
	if len(runs) == 0 {
		return s.own(ctx)
	}
	var foreign []*gathered
	own := s.own(ctx)
	for _, r := range runs {
		foreign = append(foreign, r.wait(ctx, s)...)
	}
	if len(foreign) == 1 && s.exposition == nil && foreign[0].plain() {
		return foreign[0].families // as it is: there is nothing to merge
	}
	return s.merge(own, foreign).families()
}

// foreign returns what the page has of client_golang alone. What meets an instrument of ours has its name, and not
// its values.
func (s *scraper) foreign(ctx context.Context) *merge {
	var all []*gathered
	for _, r := range s.start(ctx) {
		all = append(all, r.wait(ctx, s)...)
	}
	return s.merge(nil, all)
}

// start begins to gather all suppliers that have something, after what there is to tell of them.
func (s *scraper) start(ctx context.Context) []*gathering {
	s.watch()
	s.hear()
	var runs []*gathering
	for _, src := range s.suppliers {
		if src.registry == nil || !src.registry.Empty() {
			runs = append(runs, src.start(ctx, s))
		}
	}
	return runs
}

// merge puts our families and those of the suppliers on one page.
func (s *scraper) merge(own []*dto.MetricFamily, foreign []*gathered) *merge {
	m := s.newMerge(own)
	for _, g := range foreign {
		m.add(g)
	}
	m.oneRuntime()
	if len(m.conflicts) > 0 {
		s.catalog.tell(m.conflicts...)
	}
	return m
}

func (s *scraper) own(ctx context.Context) (families []*dto.MetricFamily) {
	if s.exposition == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			s.fail(failPanic, "a fault in package telemetry", fmt.Errorf("panic: %v", p))
		}
	}()
	return s.exposition.gather(ctx)
}
