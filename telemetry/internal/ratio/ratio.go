// Package ratio compares benchmarks side by side in one process: absolute times depend on the machine and its load,
// ratios do not.
package ratio

import (
	"math"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// rounds is how often each side runs. The best round counts.
const rounds = 5

// Report runs both sides n times in each of several alternating rounds. As the metric "ratio" it reports the CPU time of
// ours divided by that of other, both including garbage collection. The caller sets up everything before the call.
func Report(b *testing.B, n int, ours, other func()) {
	b.Helper()
	a, o := side{run: ours, ns: math.Inf(1)}, side{run: other, ns: math.Inf(1)}
	for range rounds {
		a.round(b, n)
		o.round(b, n)
	}
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(a.ns/o.ns, "ratio")
	b.ReportMetric(a.ns, "ours-cpu-ns")
	b.ReportMetric(o.ns, "other-cpu-ns")
	b.ReportMetric(a.allocs, "ours-allocs")
	b.ReportMetric(o.allocs, "other-allocs")
}

// A Side is one of several ways to do the same work.
type Side struct {
	Name string
	Run  func()
}

// Added runs each side n times in each of several alternating rounds. It reports what each side costs more than bare:
// CPU time, including garbage collection, and allocations.
func Added(b *testing.B, n int, bare func(), sides ...Side) {
	b.Helper()
	base := side{run: bare, ns: math.Inf(1)}
	all := make([]side, len(sides))
	for i, s := range sides {
		all[i] = side{run: s.Run, ns: math.Inf(1)}
	}
	for range rounds {
		base.round(b, n)
		for i := range all {
			all[i].round(b, n)
		}
	}
	for i, s := range sides {
		b.Run(s.Name, func(b *testing.B) {
			for b.Loop() {
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(all[i].ns-base.ns, "added-cpu-ns")
			b.ReportMetric(all[i].allocs-base.allocs, "added-allocs")
		})
	}
}

type side struct {
	run        func()
	ns, allocs float64 // of one call
}

func (s *side) round(b *testing.B, n int) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := cpuTime(b)
	for range n {
		s.run()
	}
	s.ns = min(s.ns, float64(cpuTime(b)-begin)/float64(n))
	runtime.ReadMemStats(&after)
	s.allocs = float64(after.Mallocs-before.Mallocs) / float64(n)
}

// cpuTime returns the CPU time that the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
