package series

import (
	"math"
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
)

// An end is that of a series, which each reader collects once more. A later measurement makes a new series: each reader
// has it from its next collection on, so that none sees a sum of both.
type end struct {
	entry *entry

	seen   uint64 // the readers that collected it
	frozen bool   // one has, and all others get the same
	value  uint64 // raw; what it was then
	counts cell.Snapshot

	movedValue  uint64 // what it was, with all that was moved to the series that followed
	movedCounts cell.Snapshot
	rounds      int // of collections, since all readers collected it
}

// lateRounds is how many collections it takes until nobody can be recording any more who began before the end.
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
	a.ended = append(a.ended, &end{entry: e})
	if len(a.ended) > a.settleAt {
		a.settle()
		a.settleAt = 2*len(a.ended) + 64
	}
}

// showEnded returns the ends that a reader collects now, with their values. Of several of one set it is the first.
func (a *Account) showEnded(reader uint64) []*end {
	var out []*end
	for _, x := range a.ended {
		if x.seen&reader != 0 || hides(out, x.entry) {
			continue
		}
		x.seen |= reader
		if reader == Page {
			x.entry.Value.state.Or(offPage)
		}
		if !x.frozen {
			x.frozen = true
			x.value, x.counts = a.read(&x.entry.Value)
			x.movedValue, x.movedCounts = x.value, x.counts
		}
		out = append(out, x)
	}
	return out
}

// hides tells whether a series waits for the next collection, as one with its attributes is among these.
func hides(shown []*end, e *entry) bool {
	return slices.ContainsFunc(shown, func(x *end) bool { return x.entry != e && x.entry.Set == e.Set })
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
			x.entry.Value.state.Or(offPage)
		}
		return x.rounds > lateRounds
	})
}

func (a *Account) move(x *end) {
	s := &x.entry.Value
	value, counts := a.read(s)
	if s.histogram != nil {
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
