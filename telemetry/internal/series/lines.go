package series

import (
	"cmp"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/table"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

// Lines are the series of a family on the page: the text of their labels, which is built once, and the cells that
// hold the numbers. Series of several accounts with equal labels share a line: counters are added, and the first
// gauge is shown. Lines is safe for concurrent use.
type Lines struct {
	name  string
	class rule.Class

	addMu    sync.Mutex
	accounts []*Account // in order of Definition.Order; replaced, never changed

	mu       sync.Mutex
	lines    []line      // sorted as client_golang does
	fresh    []line      // new ones
	sweepAt  int         // number of lines at which to sweep, because only pushes may read
	altered  bool        // some labels differ from what OTLP gets: see CollectPlain
	findings []Finding   // not returned yet
	heads    [2]head     // by format
	tails    [2][]string // of the lines of buckets, by format

	number float64       // sum of the current line
	added  bool          // number has a value
	counts cell.Snapshot // sum of the current line, for a histogram
}

// A line is one series of the page. A histogram's series is a group of lines of text.
type line struct {
	labels string // as text.Labels returns them
	first  *entry
	more   *[]*entry // further series with these labels, by order of accounts, then by age; nil if none
}

// series returns the series of the line, in order.
func (ln *line) series() []*entry {
	if ln.more == nil {
		return []*entry{ln.first}
	}
	return append([]*entry{ln.first}, *ln.more...)
}

func (ln *line) set(series []*entry) {
	ln.first, ln.more = nil, nil
	if len(series) > 0 {
		ln.first = series[0]
	}
	if len(series) > 1 {
		rest := slices.Clone(series[1:])
		ln.more = &rest
	}
}

type head struct{ help, text string }

// A Finding is a conflict that the caller reports.
type Finding struct {
	Of, Other *Account      // if not nil, a gauge of Other has the labels of one of Of
	Repair    rule.Repair   // if not 0, attributes of Of were repaired
	Set       attribute.Set // those attributes
	Crowded   bool          // whether Of has reached 80 % of its limit
}

// NewLines returns the lines of a family without accounts.
func NewLines(name string, c rule.Class) *Lines { return &Lines{name: name, class: c} }

// Add adds an account. All accounts have the class of the family, and equal boundaries. Add does not wait while a
// page is being written.
func (l *Lines) Add(a *Account) {
	l.addMu.Lock()
	defer l.addMu.Unlock()
	i, _ := slices.BinarySearchFunc(l.accounts, a.Order+1, func(a *Account, order int) int { return cmp.Compare(a.Order, order) })
	l.accounts = slices.Insert(slices.Clone(l.accounts), i, a)
}

// Accounts returns the accounts that were added, in their order.
func (l *Lines) Accounts() []*Account {
	l.addMu.Lock()
	defer l.addMu.Unlock()
	return l.accounts
}

// Empty reports whether no account has a series.
func (l *Lines) Empty() bool {
	return !slices.ContainsFunc(l.Accounts(), func(a *Account) bool { return !a.empty() })
}

// Append appends the family's comments and lines to a page, or nothing if it has no series. It returns the findings since
// the last call of Append or CollectPlain. As the page's collection, it shows each ended series once more.
func (l *Lines) Append(b []byte, f text.Format, help string) ([]byte, []Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	accounts := l.Accounts()
	for _, a := range accounts {
		a.mu.Lock()
		l.refresh(a)
		a.showing = a.showEnded(Page)
		a.mu.Unlock()
	}
	found := l.merge()
	if len(l.lines) == 0 {
		return b, found
	}
	if h := &l.heads[f]; h.text == "" || h.help != help {
		*h = head{help, f.Head(l.name, help, l.class.Type())}
	}
	if l.class == rule.Histogram && l.tails[f] == nil {
		l.tails[f] = tails(f, accounts[0].Bounds)
		l.counts = cell.NewSnapshot(len(l.tails[f]))
	}
	start := len(b)
	b = append(b, l.heads[f].text...)
	samples, dead := len(b), false
	for i := range l.lines {
		ln := &l.lines[i]
		if ln.more == nil && !ln.first.Value.has(gone) {
			l.reset()
			l.add(ln.first)
			b = l.appendLine(b, f, ln.labels, ln.first)
			continue
		}
		b = l.appendMixed(b, f, ln)
		dead = dead || ln.first == nil
	}
	if dead {
		l.lines = slices.DeleteFunc(l.lines, func(ln line) bool { return ln.first == nil })
	}
	if len(b) == samples {
		b = b[:start]
	}
	return b, found
}

// CollectPlain is Account.Collect for a family with one account whose series the page shows unchanged: no two share their
// labels, and no attribute is repaired. For any other family plain is false, and m is empty. It returns the findings since
// the last call of Append or CollectPlain.
func (l *Lines) CollectPlain(reader uint64) (m metricdata.Metrics, plain bool, found []Finding) {
	l.mu.Lock()
	defer l.mu.Unlock()
	accounts := l.Accounts()
	if len(accounts) != 1 {
		return m, false, nil
	}
	a := accounts[0]
	a.mu.Lock()
	defer a.mu.Unlock()
	l.refresh(a)
	found = l.merge()
	l.sweep()
	if l.altered {
		return m, false, found
	}
	// Newer series are left for the next collection, because their attributes were not checked yet.
	return a.collect(reader, func(e *entry) bool { return e.Value.has(onPage) }), true, found
}

// appendMixed appends a line of several series, some of which may have ended. It removes the ended ones from the
// line.
func (l *Lines) appendMixed(b []byte, f text.Format, ln *line) []byte {
	l.reset()
	var of, stay []*entry
	for _, e := range ln.series() {
		if x := e.Value.account.showing.of(&e.Set); x != nil && x.entry == e {
			l.addEnd(x)
			of = append(of, e)
			continue
		}
		if e.Value.has(offPage) {
			continue
		}
		stay = append(stay, e)
		if !follows(of, e) { // a series that has ended just now is shown here, and collected once more as an end
			l.add(e)
			of = append(of, e)
		}
	}
	if len(of) > 0 {
		b = l.appendLine(b, f, ln.labels, of...)
	}
	ln.set(stay)
	return b
}

// follows reports whether e is the successor of a shown series, and so must wait for the next page.
func follows(shown []*entry, e *entry) bool {
	return slices.ContainsFunc(shown, func(s *entry) bool {
		return s.Value.account == e.Value.account && table.Equal(&s.Set, &e.Set)
	})
}

// reset clears the sums for the next line.
func (l *Lines) reset() {
	l.number, l.added = 0, false
	if l.class == rule.Histogram {
		l.counts.Reset()
	}
}

func (l *Lines) add(e *entry) {
	if s := &e.Value; s.histogram != nil {
		s.histogram.AddTo(&l.counts)
	} else if s.account.Float {
		l.addNumber(s.value.Float64())
	} else {
		l.addNumber(float64(s.value.Int64()))
	}
}

func (l *Lines) addEnd(x *end) {
	if l.class == rule.Histogram {
		l.counts.Add(x.total.counts)
	} else {
		l.addNumber(x.entry.Value.account.float(x.total.value))
	}
}

// addNumber adds a value. Of gauges only the first counts.
func (l *Lines) addNumber(v float64) {
	if l.class != rule.Gauge || !l.added {
		l.number += v
	}
	l.added = true
}

// appendLine appends a line with the current sum.
func (l *Lines) appendLine(b []byte, f text.Format, labels string, of ...*entry) []byte {
	if l.class == rule.Histogram {
		return l.appendHistogram(b, f, labels, of)
	}
	b = appendName(b, l.name, "", labels)
	b = f.AppendFloat(b, l.number)
	if f == text.OpenMetrics && l.class == rule.Counter {
		b = appendExemplar(b, of, 0)
	}
	return append(b, '\n')
}

func (l *Lines) appendHistogram(b []byte, f text.Format, labels string, of []*entry) []byte {
	start := len(b)
	b = append(append(b, l.name...), "_bucket{"...)
	if labels != "" {
		b = append(append(b, labels...), ',')
	}
	head := b[start:]
	sum := uint64(0)
	for i, tail := range l.tails[f] {
		if i > 0 {
			b = append(b, head...)
		}
		sum += l.counts.Counts[i]
		b = append(b, tail...)
		b = f.AppendCount(b, sum)
		if f == text.OpenMetrics {
			b = appendExemplar(b, of, i)
		}
		b = append(b, '\n')
	}
	b = appendName(b, l.name, "_sum", labels)
	b = f.AppendFloat(b, l.counts.Total())
	b = append(b, '\n')
	b = appendName(b, l.name, "_count", labels)
	b = f.AppendCount(b, l.counts.Count)
	return append(b, '\n')
}

// tails returns the text that follows the labels of each bucket.
func tails(f text.Format, bounds []float64) []string {
	out := make([]string, 0, len(bounds)+1)
	for _, v := range bounds {
		out = append(out, `le="`+string(f.AppendFloat(nil, v))+`"} `)
	}
	return append(out, `le="+Inf"} `)
}

func appendName(b []byte, name, suffix, labels string) []byte {
	b = append(append(b, name...), suffix...)
	if labels != "" {
		b = append(append(append(b, '{'), labels...), '}')
	}
	return append(b, ' ')
}

// appendExemplar appends the exemplar of a bucket: that of the last series which has one, as client_golang does.
func appendExemplar(b []byte, of []*entry, bucket int) []byte {
	for _, e := range slices.Backward(of) {
		if x := e.Value.exemplar(bucket); x != nil {
			return text.AppendExemplar(b, x.trace, x.span, e.Value.account.float(x.value), x.at)
		}
	}
	return b
}
