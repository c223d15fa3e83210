package telemetry_test

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry"
)

// A ledgerOf sums pushed counters, including series that start again, which the start times show.
type ledgerOf struct {
	keeper
	series map[string]*restarting
}

type restarting struct {
	start      time.Time
	past, last int64
}

func (l *ledgerOf) Export(ctx context.Context, rm *metricdata.ResourceMetrics) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.series == nil {
		l.series = map[string]*restarting{}
	}
	for _, sm := range rm.ScopeMetrics {
		for _, m := range sm.Metrics {
			d, ok := m.Data.(metricdata.Sum[int64])
			if !ok {
				continue
			}
			for _, p := range d.DataPoints {
				k := m.Name + " " + encoded(p.Attributes)
				s := l.series[k]
				if s == nil {
					s = &restarting{}
					l.series[k] = s
				}
				if p.StartTime.Equal(s.start) {
					s.last = p.Value
				} else {
					s.start, s.past, s.last = p.StartTime, s.past+s.last, p.Value
				}
			}
		}
	}
	return nil
}

func (l *ledgerOf) total(series string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.series[series]; s != nil {
		return s.past + s.last
	}
	return 0
}

// soakTime is how long TestSoak runs: see make soak.
func soakTime(t *testing.T) time.Duration {
	if s := os.Getenv("SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	return 2 * time.Second
}

// 64 goroutines create, record, bind and finish under one name while 8 scrape and 2 push: every reader gets exact
// sums, including finished series.
func TestSoak(t *testing.T) {
	t.Parallel()
	pushes := []*ledgerOf{{}, {}}
	for _, p := range pushes {
		p.temporality = metricdata.CumulativeTemporality
	}
	p := newProvider(t, telemetry.WithMetricExporter(pushes[0]), telemetry.WithMetricExporter(pushes[1]))
	end := time.Now().Add(soakTime(t))
	var kept, finished atomic.Int64
	var writers, readers sync.WaitGroup
	for i := range 64 {
		writers.Go(func() {
			for n := 0; time.Now().Before(end); n++ {
				c := must(p.Meter("soak").Int64Counter("hits"))
				stays, goes := attribute.Int("stays", i%4), attribute.Int("goes", i%4)
				bound := c.(x.Int64CounterBinder).Bind(stays)
				for range 100 {
					bound.Add(ctx, 1)
					c.Add(ctx, 1, metric.WithAttributes(stays))
					c.Add(ctx, 1, metric.WithAttributes(goes))
				}
				kept.Add(200)
				finished.Add(100)
				if n%8 == i%8 {
					c.(x.Finisher).Finish(ctx, goes)
				}
			}
		})
	}
	stop := make(chan struct{})
	repeat := func(read func()) {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					read()
				}
			}
		})
	}
	accepts := []string{acceptText, acceptOpenMetrics, acceptProtobuf}
	for i := range 8 {
		repeat(func() {
			if code, body := fetch(p.Handler(), accepts[i%3]); code != 200 {
				t.Errorf("%d: %s", code, body)
			}
		})
	}
	repeat(func() {
		if err := p.ForceFlush(ctx); err != nil {
			t.Error(err)
		}
	})
	writers.Wait()
	close(stop)
	readers.Wait()
	for range 6 { // each push has one of the finished series of a set, and late measurements come in the next one
		if err := p.ForceFlush(ctx); err != nil {
			t.Fatal(err)
		}
		get(t, p.Handler(), acceptText)
	}
	onPage := 0.0
	for i := range 4 {
		onPage += value(scrape(t, p).series("hits_total", "stays="+string(rune('0'+i))))
	}
	if onPage != float64(kept.Load()) {
		t.Errorf("the page has %v, want %d", onPage, kept.Load())
	}
	for _, push := range pushes {
		var stays, goes int64
		for i := range 4 {
			stays += push.total("hits stays=" + string(rune('0'+i)))
			goes += push.total("hits goes=" + string(rune('0'+i)))
		}
		if stays != kept.Load() || goes != finished.Load() {
			t.Errorf("pushed are %d and %d, want %d and %d", stays, goes, kept.Load(), finished.Load())
		}
	}
}
