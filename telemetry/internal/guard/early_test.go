package guard

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// early returns a Registry whose first level has a collector registered before the guard was installed, and 20
// registered later.
func early(c prometheus.Collector) *Registry {
	base := prometheus.NewRegistry()
	base.MustRegister(c)
	r := over(base)
	for i := range 20 {
		r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("c%d_total", i)}))
	}
	return r
}

func gather(r *Registry) (families int, news []News) {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	parts, news := r.Parts(ctx)
	for _, p := range parts {
		families += len(p.Families)
	}
	return families, news
}

// A collector not registered through the guard that hangs hides no other, and is called once.
func TestHangsPastTheGuard(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	r := early(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "hangs"}, func() float64 { <-release; return 1 }))
	families, news := gather(r)
	if families != 20 || len(news) == 0 {
		t.Errorf("%d families, %v", families, news)
	}
	before := runtime.NumGoroutine()
	for range 5 {
		if families, _ := gather(r); families != 20 {
			t.Errorf("%d families", families)
		}
	}
	if after := runtime.NumGoroutine(); after > before+2 {
		t.Errorf("%d goroutines, %d before", after, before)
	}
}

// One that fails is reported, and the others are still gathered together.
func TestFailsPastTheGuard(t *testing.T) {
	r := early(prometheus.CollectorFunc(func(ch chan<- prometheus.Metric) {
		ch <- prometheus.NewInvalidMetric(prometheus.NewDesc("fails", "", nil, nil), errors.New("ouch"))
	}))
	for range 3 {
		families, news := gather(r)
		if families != 20 || len(news) != 1 || news[0].Err == nil {
			t.Errorf("%d families, %v", families, news)
		}
	}
	for _, e := range r.all {
		if e.alone.Load() {
			t.Fatal("a collector that is in order is gathered by itself")
		}
	}
}

// The number of definitions of one name is limited: code that registers one for each request does not fill the
// memory.
func TestDefinitionsAreBounded(t *testing.T) {
	r := New()
	for i := range maxLevels + 20 {
		r.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Name: "x_total", Help: fmt.Sprint(i)}))
	}
	if len(r.levels) != maxLevels || len(r.all) != maxLevels {
		t.Errorf("%d levels, %d registrations", len(r.levels), len(r.all))
	}
	refused := 0
	for _, n := range r.News(0) {
		if n.Err != nil {
			refused++
		}
	}
	if refused != 1 {
		t.Errorf("told %d times", refused)
	}
}
