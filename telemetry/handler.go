package telemetry

import (
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/prometheus/common/expfmt"
)

const (
	defaultScrapeTimeout = 10 * time.Second // Prometheus's own default
	maxScrapes           = 8                // at once; further ones wait
	leastScrapeTimeout   = 0.01             // in seconds; a smaller value must be a mistake
	mostScrapeTimeout    = 3600
	writeTime            = 30 * time.Second // the time that a client has to read the page
)

// The values of the label reason of telemetry_scrape_errors_total.
const (
	failCollect  = "collect"  // the SDK could not collect
	failExporter = "exporter" // the exporter refused a point
	failGatherer = "gatherer" // a client_golang gatherer failed, panicked or timed out
	failInvalid  = "invalid"  // a gatherer's metric could not be put on the page
	failEncoding = "encoding" // a family could not be written
	failOverload = "overload" // a scrape timed out while it waited for its turn, and got a 503
	failPanic    = "panic"    // a bug in this package
)

var failures = []string{
	failCollect, failExporter, failGatherer, failInvalid, failEncoding, failOverload, failPanic,
}

// A scraper serves /metrics. If something in the process fails, it does not answer 500: it serves the rest, counts the
// failure in telemetry_scrape_errors_total and logs it once.
type scraper struct {
	exposition *exposition // nil if the SDK is disabled, and under WithoutPrometheus
	catalog    *catalog
	suppliers  []*supplier
	turns      chan struct{}
	watch      func() // called at each scrape

	self *selfMetrics

	mu   sync.Mutex
	told map[string]struct{}  // failures that were logged
	met  map[meeting]struct{} // meetings that were reported
}

func newScraper(x *exposition, c *catalog, suppliers []*supplier, self *selfMetrics, watch func()) *scraper {
	return &scraper{
		exposition: x, catalog: c, suppliers: suppliers, turns: make(chan struct{}, maxScrapes), watch: watch, self: self,
		told: map[string]struct{}{}, met: map[meeting]struct{}{},
	}
}

// restServed ends the message of a failure that costs the page only a part of its metrics.
const restServed = "; the rest of the page is served"

// fail counts a failure, and logs it once for each reason and text.
func (s *scraper) fail(reason, what string, err error) {
	s.self.scrapeFailed(reason)
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
		s.catalog.log.warn(what, args...)
	}
}

func (s *scraper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), scrapeTimeout(r.Header))
	defer cancel()
	names := r.URL.Query()["name[]"]
	format := expfmt.NegotiateAccept(r.Header, expfmt.DefaultOpenMetricsAcceptedFormats()...)
	page, ok := s.takeTurn(ctx, format, names)
	if !ok {
		s.fail(failOverload, "too many scrapes at once; this one is answered with 503", ctx.Err())
		http.Error(w, "Too many scrapes at once; try again later.", http.StatusServiceUnavailable)
		return
	}
	defer page.free()
	if r.Context().Err() != nil {
		return // the client is gone
	}
	// A slow reader holds no turn, and its connection is closed after writeTime.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTime)) // not every writer supports it
	compressed(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Vary", "Accept")
		w.Header().Set("Content-Type", string(format))
		_, _ = w.Write(page.bytes) // an error means that the client is gone
	}).ServeHTTP(w, r)
}

// compressed wraps a handler to compress its answer, if the client accepts it: with zstd, which is faster, or gzip.
// Both use their fastest level, because a page is read once.
var compressed = func() func(http.HandlerFunc) http.HandlerFunc {
	wrap, err := gzhttp.NewWrapper(gzhttp.CompressionLevel(gzip.BestSpeed), gzhttp.EnableZstd(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return func(h http.HandlerFunc) http.HandlerFunc { return wrap(h) }
}()

// takeTurn waits for a free turn and makes the page. It returns false if ctx ends first.
func (s *scraper) takeTurn(ctx context.Context, format expfmt.Format, names []string) (*page, bool) {
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
	t := format.FormatType()
	families := s.gather(ctx, t != expfmt.TypeTextPlain && t != expfmt.TypeOpenMetrics)
	if len(names) > 0 { // as promhttp does
		families = slices.DeleteFunc(families, func(f shown) bool { return !slices.Contains(names, f.GetName()) })
	}
	return s.write(families, format), true
}

// scrapeTimeout returns the timeout that Prometheus sends, less a little time to write the page.
func scrapeTimeout(h http.Header) time.Duration {
	seconds, err := strconv.ParseFloat(h.Get("X-Prometheus-Scrape-Timeout-Seconds"), 64)
	if err != nil || !(seconds >= leastScrapeTimeout && seconds <= mostScrapeTimeout) { // false for NaN too
		return defaultScrapeTimeout
	}
	d := time.Duration(seconds * float64(time.Second))
	return d - min(d/5, 500*time.Millisecond)
}

// gather returns the page, sorted by family. If whole, every family has its metrics.
func (s *scraper) gather(ctx context.Context, whole bool) []shown {
	runs := s.start(ctx)
	if len(runs) == 0 {
		return s.own(ctx, whole)
	}
	var foreign []*gathered
	own := s.own(ctx, whole)
	for _, r := range runs {
		foreign = append(foreign, r.wait(ctx, s)...)
	}
	if len(foreign) == 1 && s.exposition == nil && foreign[0].plain() { // nothing to merge
		out := make([]shown, len(foreign[0].families))
		for i, f := range foreign[0].families {
			out[i].MetricFamily = f
		}
		return out
	}
	return s.merge(own, foreign).page()
}

// foreign returns the families of client_golang that the page has. A family that an instrument shares has the
// instrument's name, but not its values.
func (s *scraper) foreign(ctx context.Context) *merge {
	var all []*gathered
	for _, r := range s.start(ctx) {
		all = append(all, r.wait(ctx, s)...)
	}
	return s.merge(nil, all)
}

// start reports news of the suppliers and begins to gather all that are not empty.
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

// merge puts the instruments' families and those of the suppliers on one page.
func (s *scraper) merge(own []shown, foreign []*gathered) *merge {
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

func (s *scraper) own(ctx context.Context, whole bool) (page []shown) {
	if s.exposition == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			s.fail(failPanic, "a bug in package telemetry cost the page OpenTelemetry's metrics", fmt.Errorf("panic: %v", p))
		}
	}()
	return s.exposition.gather(ctx, whole)
}
