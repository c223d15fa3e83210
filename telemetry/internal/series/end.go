package series

import (
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// An end is that of a series, which each reader collects once more. A later measurement makes a new series: each reader
// has it from its next collection on, so that none sees a sum of both. Series that end one after another before a reader has
// collected the first are one for it.
type end struct {
	entry *entry
	more  []*entry // that followed it, and ended too

	seen   uint64 // the readers that collected it
	frozen bool   // one has, and all others get the same
	value  uint64 // raw; what it was then
	counts cell.Snapshot

	movedValue  uint64 // what it was, with all that was moved to the series that followed
	movedCounts cell.Snapshot
	rounds      int // of collections, since all readers collected it
	at          time.Time
}

// An end is watched for so long and for so many collections: then nobody can be recording any more who began before it.
var lateTime = time.Second

const lateRounds = 2

// finish ends a series.
func (a *Account) finish(set *attribute.Set) {
	if *set == overflow { // those of all others
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
	if x := a.open[e.Set]; x != nil {
		x.more = append(x.more, e)
		e.Value.state.Or(offPage | settled)
		return
	}
	if a.open == nil {
		a.open = map[attribute.Set]*end{}
	}
	x := &end{entry: e, at: time.Now()}
	a.ended, a.open[e.Set] = append(a.ended, x), x
	if len(a.ended) > a.settleAt {
		a.settle()
		a.settleAt = 2*len(a.ended) + 64
	}
}

// shown are the ends that a reader collects now, by their attributes. The series that follow them wait for the next
// collection.
type shown map[attribute.Set]*end

// hides tells whether a series waits.
func (s shown) hides(e *entry) bool { return len(s) > 0 && s[e.Set] != nil }

// showEnded returns the ends that a reader collects now, with their values. Those of one set are one.
func (a *Account) showEnded(reader uint64) shown {
	if len(a.ended) == 0 {
		return nil
	}
	out := shown{}
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
			delete(a.open, x.entry.Set)
			x.value, x.counts = a.final(x)
			x.movedValue, x.movedCounts = x.value, x.counts
		}
		if before := out[x.entry.Set]; before != nil {
			x = a.join(before, x)
		}
		out[x.entry.Set] = x
	}
	return out
}

// join returns what two ends are together, as the first.
func (a *Account) join(x, y *end) *end {
	both := &end{entry: x.entry}
	both.value, both.counts = a.sum(x.value, copyOf(x.counts), y.value, y.counts)
	return both
}

// final adds up the series that ended.
func (a *Account) final(x *end) (uint64, cell.Snapshot) {
	value, counts := a.read(&x.entry.Value)
	for _, e := range x.more {
		v, c := a.read(&e.Value)
		value, counts = a.sum(value, counts, v, c)
	}
	return value, counts
}

// sum adds a value that came later, into counts. Of gauges it is the later one.
func (a *Account) sum(value uint64, counts cell.Snapshot, later uint64, c cell.Snapshot) (uint64, cell.Snapshot) {
	switch {
	case a.Class == rule.Histogram:
		counts.Add(c)
		return 0, counts
	case a.gauge():
		return later, counts
	case a.Float:
		return math.Float64bits(math.Float64frombits(value) + math.Float64frombits(later)), counts
	}
	return value + later, counts
}

func copyOf(s cell.Snapshot) cell.Snapshot {
	s.Counts = slices.Clone(s.Counts)
	return s
}

// settle moves what came too late for the end of a series to the one that follows it, and forgets ends that all readers
// have collected. The account's lock is held.
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
			x.entry.Value.state.Or(offPage | settled)
			if !x.frozen { // nobody reads
				delete(a.open, x.entry.Set)
			}
		}
		return x.rounds > lateRounds && time.Since(x.at) > lateTime
	})
}

func (a *Account) move(x *end) {
	value, counts := a.final(x)
	if x.entry.Value.histogram != nil {
		if counts.Count != x.movedCounts.Count {
			a.at(&x.entry.Set).Value.histogram.Merge(counts, x.movedCounts)
		}
	} else if !a.gauge() && value != x.movedValue {
		a.addRaw(&x.entry.Set, value, x.movedValue)
	}
	x.movedValue, x.movedCounts = value, counts
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
