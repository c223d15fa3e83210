package series

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/table"
)

// An end is a series that has ended, which each reader collects once more. A later measurement creates a new series, which
// each reader gets from its next collection on, so that no reader sees a sum of both. If several series with equal
// attributes end one after another before any reader collects the first, they are collected as one.
type end struct {
	entry *entry
	at    time.Time
	more  []*end // series of the set that ended before anybody collected this end; they are collected as a part of it
	past  total  // the sum of those removed from more, because they ended too long ago to get further measurements

	seen   uint64 // the readers that have collected it
	frozen bool   // whether a reader has collected it; all others get the same total
	total  total  // the value when the first reader collected it
	moved  total  // total, and everything that was moved to the successor since
	rounds int    // how often it was settled since all readers have collected it
}

// A total is the value of a series: a raw value, or a histogram's.
type total struct {
	value  uint64
	counts cell.Snapshot
}

// An end is watched for this long and for this many rounds. After that, every recording that began before the end has
// finished.
const (
	lateTime   = 5 * time.Second
	lateRounds = 2
)

// maxMore is the number of series in end.more above which the oldest are summed up.
const maxMore = 64

// finish ends a series.
func (a *Account) finish(set *attribute.Set) {
	if *set == overflow { // it belongs to all other sets
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.series.Get(canonical(set))
	if e == nil {
		return
	}
	a.series.Remove(e)
	e.Value.close()
	y := &end{entry: e, at: time.Now()}
	if x := a.open.of(&e.Set); x != nil {
		e.Value.state.Or(offPage | done)
		x.more = append(x.more, y)
		if len(x.more) > maxMore {
			a.shorten(x)
		}
		return
	}
	a.open.add(y)
	a.ended = append(a.ended, y)
	if len(a.ended) > a.settleAt {
		a.settle()
		a.settleAt = 2*len(a.ended) + maxMore
	}
}

// shorten sums up the oldest ended series into past.
func (a *Account) shorten(x *end) {
	for len(x.more) > 0 && time.Since(x.more[0].at) > lateTime {
		x.past = a.sum(x.past, a.read(&x.more[0].entry.Value))
		x.more[0] = nil
		x.more = x.more[1:]
	}
}

// ends maps attributes to ends.
type ends map[attribute.Distinct][]*end

// of returns the end of a set, or nil.
func (m ends) of(set *attribute.Set) *end {
	for _, x := range m[set.Equivalent()] {
		if table.Equal(&x.entry.Set, set) {
			return x
		}
	}
	return nil
}

func (m *ends) add(x *end) {
	if *m == nil {
		*m = ends{}
	}
	d := x.entry.Set.Equivalent()
	(*m)[d] = append((*m)[d], x)
}

func (m ends) remove(x *end) {
	d := x.entry.Set.Equivalent()
	if left := slices.DeleteFunc(m[d], func(y *end) bool { return x == y }); len(left) > 0 {
		m[d] = left
	} else {
		delete(m, d)
	}
}

// showEnded returns the ends that a reader collects now. Those of one set become one.
func (a *Account) showEnded(reader uint64) ends {
	if len(a.ended) == 0 {
		return nil
	}
	out := ends{}
	for _, x := range a.ended {
		if x.seen&reader != 0 {
			continue
		}
		x.seen |= reader
		if reader == Page {
			x.entry.Value.state.Or(offPage)
		}
		if !x.frozen {
			x.frozen = true
			a.open.remove(x)
			x.total = a.final(x)
			x.moved = x.total
		}
		if earlier := out.of(&x.entry.Set); earlier != nil {
			out.remove(earlier)
			x = &end{entry: earlier.entry, total: a.sum(earlier.total, x.total)}
		}
		out.add(x)
	}
	return out
}

// final returns the sum of an end's series.
func (a *Account) final(x *end) total {
	t := a.sum(a.read(&x.entry.Value), x.past)
	for _, y := range x.more {
		t = a.sum(t, a.read(&y.entry.Value))
	}
	return t
}

// sum adds a later total. For gauges it returns the later one.
func (a *Account) sum(t, later total) total {
	switch {
	case later.counts.Counts != nil:
		t.counts.Counts = slices.Clone(t.counts.Counts)
		t.counts.Add(later.counts)
	case a.Class == rule.Histogram: // the later one is empty
	case a.gauge():
		t.value = later.value
	case a.Float:
		t.value = math.Float64bits(math.Float64frombits(t.value) + math.Float64frombits(later.value))
	default:
		t.value += later.value
	}
	return t
}

// settle moves measurements that came after a series ended to its successor, and drops ends that all readers have
// collected. The caller holds the account's lock.
func (a *Account) settle() {
	if len(a.ended) == 0 {
		return
	}
	readers := a.rules.readers()
	a.ended = slices.DeleteFunc(a.ended, func(x *end) bool {
		if x.frozen {
			a.move(x)
		}
		if x.seen&readers == readers {
			x.rounds++
			x.entry.Value.state.Or(offPage | done)
		}
		gone := x.rounds > lateRounds && time.Since(x.at) > lateTime
		if gone && !x.frozen { // nobody collects
			a.open.remove(x)
		}
		return gone
	})
}

// move adds what was recorded after the end was collected to the successor.
func (a *Account) move(x *end) {
	now := a.final(x)
	switch {
	case a.Class == rule.Histogram:
		if now.counts.Count != x.moved.counts.Count {
			a.at(&x.entry.Set).Value.histogram.Merge(now.counts, x.moved.counts)
		}
	case !a.gauge() && now.value != x.moved.value:
		a.addRaw(&x.entry.Set, now.value, x.moved.value)
	}
	x.moved = now
}

// addRaw adds the difference of two raw values to the series of a set.
func (a *Account) addRaw(set *attribute.Set, now, before uint64) {
	for {
		s := &a.at(set).Value
		if a.Float && s.value.AddFloat64(math.Float64frombits(now)-math.Float64frombits(before)) ||
			!a.Float && s.value.AddInt64(int64(now-before)) {
			return
		}
	}
}
