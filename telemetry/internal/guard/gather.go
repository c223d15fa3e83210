package guard

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// A Part holds the families gathered from one level, or from one collector. They do not contradict each other, but
// those of several parts may: then the earlier part wins.
type Part struct {
	Families []*dto.MetricFamily
	registry *Registry
	level    *level
	alone    *Registration
}

// Owner returns the registration of a family, or nil if it is not known.
func (p Part) Owner(family string) *Registration {
	if p.alone != nil {
		return p.alone
	}
	r := p.registry
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := p.level.owner(family); e != nil {
		return e
	}
	p.level.indexOthers()
	return p.level.owner(family)
}

// Alone reports whether all families come from one collector that was gathered individually, without checks of its
// descriptors.
func (p Part) Alone() bool { return p.alone != nil }

// Parts gathers all levels and collectors concurrently. It leaves out those that do not answer before ctx ends, and
// does not ask them again until they do. News reports collectors that panicked, hang, or sent metrics that no page
// can show.
func (r *Registry) Parts(ctx context.Context) (parts []Part, news []News) {
	for range 3 { // the second round leaves out collectors that hang or contradict; the third is needed if these were hard to find
		var more []News
		var again bool
		parts, more, again = r.gather(ctx)
		news = append(news, more...)
		if !again || ctx.Err() != nil {
			break
		}
	}
	return parts, news
}

// A run is one call of a registry's Gather, or of one collector.
type run struct {
	level    *level
	entries  []*Registration
	done     chan struct{}
	families []*dto.MetricFamily
	news     []News
	again    bool // some collectors must be gathered individually from now on
}

func (r *Registry) gather(ctx context.Context) (parts []Part, news []News, again bool) {
	runs := r.runs()
	for _, x := range runs {
		go x.gather()
	}
	patience := time.NewTimer(patienceOf(ctx))
	defer patience.Stop()
	for _, x := range runs {
		if !x.wait(ctx, patience) {
			if ctx.Err() == context.Canceled { // nobody waits any more
				return parts, news, false
			}
			found := x.hanging()
			news = append(news, found...)
			if len(found) == 0 { // the collector was not registered through the guard: gather all others individually
				news = append(news, News{Err: ErrHangs})
				x.level.hangs.Store(x)
				found = x.separate()
			}
			again = again || len(found) > 0 && x.level != nil
			continue
		}
		news = append(news, x.news...)
		again = again || x.again
		for _, e := range x.entries {
			if fault := e.fault.Swap(nil); fault != nil {
				news = append(news, News{Second: e, Err: *fault})
			}
		}
		p := Part{Families: x.families, registry: r, level: x.level}
		if x.level == nil {
			p.alone = x.entries[0]
		}
		parts = append(parts, p)
	}
	return parts, news, again
}

// runs returns what to gather: the levels in order, then the collectors that are gathered individually.
func (r *Registry) runs() []*run {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*run, 0, len(r.levels))
	for i, l := range r.levels {
		if i > 0 && len(l.entries) == 0 || l.hanging() {
			continue
		}
		out = append(out, &run{level: l, entries: l.entries, done: make(chan struct{})})
	}
	for _, e := range r.all {
		if e.alone.Load() {
			out = append(out, &run{entries: []*Registration{e}, done: make(chan struct{})})
		}
	}
	return out
}

// defaultPatience is for a gathering without a deadline, such as that of a plain promhttp.Handler.
const defaultPatience = 5 * time.Second

// patienceOf returns half of the available time. In the other half, everything else is gathered again without the
// collectors that hang.
func patienceOf(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return time.Until(end) / 2
	}
	return defaultPatience
}

func (x *run) wait(ctx context.Context, patience *time.Timer) bool {
	select {
	case <-x.done:
		return true
	default:
	}
	limit := patience.C
	if x.level == nil { // without it there is nothing to gather again
		limit = nil
	}
	select {
	case <-x.done:
		return true
	case <-limit:
		patience.Reset(0) // the time is up for all other levels too
	case <-ctx.Done():
	}
	select {
	case <-x.done:
		return true
	default:
		return false
	}
}

// hanging handles a run that has not answered. The busy collectors of a level are gathered individually from now on, so
// that none waits for another. If no collector is busy, a function such as that of a GaugeFunc hangs in the Write of its
// metric. It is not known which one, so all collectors that could hang are gathered individually. A collector that already
// is gathered individually is not asked again until it has answered.
func (x *run) hanging() (news []News) {
	if x.level == nil {
		e := x.entries[0]
		if e.hanging.Store(true); e.running.Load() == 0 { // it has just answered
			e.hanging.Store(false)
		}
		return []News{{Second: e, Err: ErrHangs}}
	}
	for _, busy := range []bool{true, false} {
		for _, e := range x.entries {
			if (busy && e.running.Load() > 0 || !busy && e.Reported()) && !e.alone.Swap(true) {
				news = append(news, News{Second: e})
			}
		}
		if len(news) > 0 {
			break
		}
	}
	return news
}

// separate makes all collectors of a run be gathered individually from now on.
func (x *run) separate() (news []News) {
	for _, e := range x.entries {
		if !e.alone.Swap(true) {
			news = append(news, News{Second: e})
		}
	}
	return news
}

// hanging reports whether an earlier gathering of the level has not returned.
func (l *level) hanging() bool {
	x := l.hangs.Load()
	if x == nil {
		return false
	}
	select {
	case <-x.done:
		l.hangs.CompareAndSwap(x, nil)
		return false
	default:
		return true
	}
}

// ErrHangs is the error of a collector that is left out until it answers.
var ErrHangs = errors.New("it does not answer in time")

func (x *run) gather() {
	defer close(x.done)
	for _, e := range x.entries {
		if e.hanging.Load() {
			x.news = append(x.news, News{Second: e, Err: ErrHangs})
		}
	}
	if x.level == nil {
		if e := x.entries[0]; e.enter() {
			defer e.leave()
			x.families, x.news = e.gatherAlone(x.news)
		}
		return
	}
	var err error
	if x.families, err = safely(x.level.reg); err != nil {
		x.divide(err)
	}
}

// safely gathers, and turns a panic into an error: the registry calls a metric's Write in this goroutine.
func safely(g prometheus.Gatherer) (families []*dto.MetricFamily, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return g.Gather()
}

// divide finds the collectors because of whose metrics the registry could not gather all: they contradict each other, or
// those of an earlier collector. They are gathered individually from now on.
func (x *run) divide(err error) {
	seen := map[string]string{}
	found := false
	for _, e := range x.entries {
		if e.alone.Load() {
			continue
		}
		families, err := gatherFrom(bare{e})
		if err != nil || contradicts(seen, families) {
			e.alone.Store(true)
			found = true
		}
	}
	if !found && x.together() != nil { // they contradict each other in another way
		found = len(x.separate()) > 0
	}
	if x.again = found; !found { // the cause was not registered through the guard
		x.news = append(x.news, News{Err: err})
	}
}

// together gathers the collectors of a run, without those not registered through the guard.
func (x *run) together() error {
	reg := prometheus.NewRegistry()
	for _, e := range x.entries {
		if !e.alone.Load() {
			if err := reg.Register(bare{e}); err != nil {
				return err
			}
		}
	}
	_, err := safely(reg)
	return err
}

// contradicts reports whether families contradict those in seen. If not, it adds them to seen.
func contradicts(seen map[string]string, families []*dto.MetricFamily) bool {
	fresh := map[string]string{}
	for _, f := range families {
		for name, what := range traits(f) {
			if other, ok := seen[name]; ok && (other != what || what == "") {
				return true
			}
			fresh[name] = what
		}
	}
	for name, what := range fresh {
		seen[name] = what
	}
	return false
}

// traits returns what must be equal for each name on the page, or "" for a series that may exist only once.
func traits(f *dto.MetricFamily) map[string]string {
	out := map[string]string{f.GetName(): fmt.Sprintf("%v %q", f.GetType(), f.GetHelp())}
	switch f.GetType() {
	case dto.MetricType_HISTOGRAM, dto.MetricType_SUMMARY:
		for _, suffix := range []string{"_count", "_sum", "_bucket"} {
			out[f.GetName()+suffix] = "part of " + f.GetName()
		}
	}
	for _, m := range f.Metric {
		out[seriesKey(f.GetName(), m)] = ""
	}
	return out
}

func seriesKey(name string, m *dto.Metric) string {
	labels := slices.Clone(m.Label)
	slices.SortFunc(labels, func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) })
	var b strings.Builder
	b.WriteString(name)
	for _, l := range labels {
		fmt.Fprintf(&b, "\xff%s\xff%s", l.GetName(), l.GetValue())
	}
	return b.String()
}

// gatherAlone gathers one collector. If its metrics contradict each other, it gathers each metric individually; of
// equal series the first wins.
func (e *Registration) gatherAlone(news []News) ([]*dto.MetricFamily, []News) {
	families, err := gatherFrom(bare{e})
	if err == nil {
		return families, news
	}
	var metrics []prometheus.Metric
	ch := make(chan prometheus.Metric)
	go func() {
		defer close(ch)
		e.collect(ch)
	}()
	for m := range ch {
		metrics = append(metrics, m)
	}
	families = nil
	seen := map[string]bool{}
	for _, m := range metrics {
		one, err := gatherOne(m)
		if err != nil || len(one) != 1 {
			news = append(news, News{Second: e, Err: fmt.Errorf("a metric cannot be exposed: %w", err)})
			continue
		}
		k := seriesKey(one[0].GetName(), one[0].Metric[0])
		if seen[k] {
			news = append(news, News{Second: e, Err: fmt.Errorf("it sends a series of %s twice; the first one is used", one[0].GetName())})
			continue
		}
		seen[k] = true
		families = append(families, one...)
	}
	return families, news
}
