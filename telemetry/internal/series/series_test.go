package series

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/x"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

var ctx = context.Background()

const push = Page << 1

func path(v string) attribute.KeyValue { return attribute.String("path", v) }

// A family is a family with one account, its lines, and a handle to record through.
type family struct {
	*Account
	*Lines
	counter Int64Adder
}

func newFamily(readers uint64) *family {
	r := &Rules{Readers: readers}
	r.PageRead()
	f := &family{Account: NewAccount(Definition{Name: "c", Class: rule.Counter}, r), Lines: NewLines("c_total", rule.Counter)}
	f.Lines.Add(f.Account)
	f.counter.Init(f.Account)
	return f
}

// samples returns the page without comments.
func (f *family) samples() string {
	b, _ := f.Append(nil, text.Prometheus, "")
	return strings.TrimPrefix(string(b), "# TYPE c_total counter\n")
}

// pushed returns what a push collects.
func (f *family) pushed() string {
	var out []string
	if d, ok := f.Collect(push).Data.(metricdata.Sum[int64]); ok {
		for _, p := range d.DataPoints {
			out = append(out, fmt.Sprintf("%s=%d", p.Attributes.Encoded(attribute.DefaultEncoder()), p.Value))
		}
	}
	return strings.Join(out, " ")
}

// All ways to pass no attributes are one series.
func TestNoAttributes(t *testing.T) {
	f := newFamily(Page)
	f.counter.Add(ctx, 1)
	f.counter.Add(ctx, 1, metric.WithAttributes())
	f.counter.Add(ctx, 1, metric.WithAttributeSet(attribute.Set{}))
	f.counter.Add(ctx, 1, metric.WithAttributeSet(*attribute.EmptySet()))
	f.counter.Add(ctx, 1, x.WithUnsafeAttributes())
	if got := f.samples(); got != "c_total 5\n" {
		t.Errorf("%q", got)
	}
	f.counter.Finish(ctx)
	if f.Len() != 0 {
		t.Error("it is not finished")
	}
}

// Attributes are found however they are passed.
func TestOptions(t *testing.T) {
	f := newFamily(Page)
	ab := []attribute.KeyValue{attribute.String("a", "1"), attribute.String("b", "2")}
	option := metric.WithAttributes(ab...)
	for _, opts := range [][]metric.AddOption{
		{option}, {metric.WithAttributeSet(attribute.NewSet(ab...))}, {metric.WithAttributes(ab[0]), metric.WithAttributes(ab[1])},
		{x.WithUnsafeAttributes(ab[1], ab[0])}, {metric.WithAttributes(ab[0]), x.WithUnsafeAttributes(ab[1])},
		{metric.WithAttributes(attribute.String("b", "0"), ab[0]), metric.WithAttributes(ab[1])},
	} {
		f.counter.Add(ctx, 1, opts...)
	}
	if got := f.samples(); got != "c_total{a=\"1\",b=\"2\"} 6\n" {
		t.Errorf("%q", got)
	}
	option.(x.Settable[attribute.Set]).Set(attribute.NewSet(path("/x"))) // an option can be used again for others
	f.counter.Add(ctx, 1, option)
	if got := f.samples(); got != "c_total{path=\"/x\"} 1\nc_total{a=\"1\",b=\"2\"} 6\n" {
		t.Errorf("%q", got)
	}
	if !pointed {
		t.Error("options are not what they were: measure what it costs, see pointed")
	}
}

// Each reader collects a finished series once more, and later measurements start a new one: no reader sees both in
// one.
func TestFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(Page | push)
		var bound Int64Adder
		f.counter.BindTo(&bound.Handle, []attribute.KeyValue{path("/a")})
		bound.Add(ctx, 3)
		expect := func(page, pushed string) {
			t.Helper()
			if got := f.samples(); got != page {
				t.Errorf("the page is %q, want %q", got, page)
			}
			if pushed != "" {
				if got := f.pushed(); got != pushed {
					t.Errorf("pushed is %q, want %q", got, pushed)
				}
			}
		}
		expect("c_total{path=\"/a\"} 3\n", "")
		bound.Finish(ctx)
		bound.Finish(ctx)                                        // a second Finish does nothing
		bound.Add(ctx, 1)                                        // creates a new series
		f.counter.Add(ctx, 1, metric.WithAttributes(path("/a"))) // adds to that series
		expect("c_total{path=\"/a\"} 3\n", "")
		expect("c_total{path=\"/a\"} 2\n", "path=/a=3")
		expect("c_total{path=\"/a\"} 2\n", "path=/a=2")
		bound.Finish(ctx)
		expect("c_total{path=\"/a\"} 2\n", "path=/a=2")
		for range lateRounds + 2 {
			if got := f.samples() + f.pushed(); got != "" {
				t.Errorf("it is still there: %q", got)
			}
		}
		time.Sleep(2 * lateTime)
		f.pushed()
		if n := len(f.ended) + f.Len() + len(f.lines); n != 0 {
			t.Errorf("%d are kept", n)
		}
		f.counter.Finish(ctx, path("/unknown"))
		f.counter.Finish(ctx, attribute.Bool("otel.metric.overflow", true))
	})
}

// A series that nobody collects is freed.
func TestFinishedSeriesDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(Page | push)
		f.samples()
		time.Sleep(2 * forgotten) // nobody reads the page
		for i := range 10_000 {
			f.counter.Add(ctx, 1, metric.WithAttributes(attribute.Int("i", i)))
			f.counter.Finish(ctx, attribute.Int("i", i))
			if i%100 == 0 {
				f.pushed()
			}
		}
		time.Sleep(2 * lateTime)
		f.pushed()
		if n := len(f.ended); n > 1000 {
			t.Errorf("%d ended series wait", n)
		}
		if n := len(f.Account.fresh); n > 1000 {
			t.Errorf("%d ended series wait for the page", n)
		}
		f.rules.PageRead()
		f.samples()
		time.Sleep(2 * lateTime)
		for range lateRounds + 1 {
			f.pushed()
			f.samples()
		}
		if n := len(f.ended) + len(f.lines); n != 0 {
			t.Errorf("%d are kept", n)
		}
	})
}

// For each reader, the sum over a series and its successors is what was counted, however they come and go.
func TestFinishLosesNothing(t *testing.T) {
	f := newFamily(Page | push | push<<1)
	const workers, each = 8, 20_000
	totals := map[uint64]*summed{push: {}, push << 1: {}}
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	repeat := func(read func()) {
		readers.Go(func() {
			for {
				read()
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for reader, sum := range totals {
		repeat(func() { sum.read(f.Collect(reader)) })
	}
	repeat(func() { f.samples() })
	for w := range workers {
		writers.Go(func() {
			var bound Int64Adder
			f.counter.BindTo(&bound.Handle, []attribute.KeyValue{path("/a")})
			for i := range each {
				if w%2 == 0 {
					bound.Add(ctx, 1)
				} else {
					f.counter.Add(ctx, 1, metric.WithAttributes(path("/a")))
				}
				if i%1000 == w {
					f.counter.Finish(ctx, path("/a"))
				}
			}
		})
	}
	writers.Wait()
	close(stop)
	readers.Wait()
	f.counter.Finish(ctx, path("/a"))
	for range lateRounds + 1 {
		f.samples()
		for reader, sum := range totals {
			sum.read(f.Collect(reader))
		}
	}
	for reader, sum := range totals {
		if got := sum.past + sum.last; got != workers*each {
			t.Errorf("reader %b counted %d, want %d", reader, got, workers*each)
		}
	}
}

// A summed adds up a counter that may start again, as its start time shows.
type summed struct {
	start      time.Time
	past, last int64
}

func (t *summed) read(m metricdata.Metrics) {
	d, ok := m.Data.(metricdata.Sum[int64])
	if !ok {
		return
	}
	if p := d.DataPoints[0]; p.StartTime.Equal(t.start) {
		t.last = p.Value
	} else {
		t.start, t.past, t.last = p.StartTime, t.past+t.last, p.Value
	}
}

// Lines are sorted as client_golang sorts series, and those with equal labels are one.
func TestLines(t *testing.T) {
	f := newFamily(Page)
	add := func(kvs ...attribute.KeyValue) { f.counter.Add(ctx, 1, metric.WithAttributes(kvs...)) }
	add(attribute.String("a", "x\ny"))
	add(attribute.String("a", `x"`))
	add(attribute.String("a", "x "))
	add(attribute.Int("a", 7))
	add(attribute.String("a", "7"))
	add(attribute.String("a", "1"), attribute.String("b", "")) // a label without a value is none
	add()
	want := `c_total 1
c_total{a="1"} 1
c_total{a="7"} 2
c_total{a="x\ny"} 1
c_total{a="x "} 1
c_total{a="x\""} 1
`
	if got := f.samples(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	add(attribute.String("a", "1"))
	want = `c_total 1
c_total{a="1"} 2
c_total{a="7"} 2
c_total{a="x\ny"} 1
c_total{a="x "} 1
c_total{a="x\""} 1
`
	for range 2 {
		if got := f.samples(); got != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}

// A slower reader gets everything that ended since as one series, and loses nothing.
func TestSlowReaderIsNotBehind(t *testing.T) {
	f := newFamily(Page | push)
	for range 10 {
		f.counter.Add(ctx, 1, metric.WithAttributes(path("/a")))
		f.counter.Finish(ctx, path("/a"))
		f.pushed()
	}
	f.counter.Add(ctx, 5, metric.WithAttributes(path("/a")))
	for i, want := range []string{"c_total{path=\"/a\"} 10\n", "c_total{path=\"/a\"} 5\n"} {
		if got := f.samples(); got != want {
			t.Errorf("page %d is %q, want %q", i, got, want)
		}
	}
}

// Series of one set that end repeatedly are added up, whoever collects.
func TestEndsOfOneSetDoNotPileUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(Page)
		const n = 20_000
		for range n {
			f.counter.Add(ctx, 1, metric.WithAttributes(path("/a")))
			f.counter.Finish(ctx, path("/a"))
		}
		time.Sleep(2 * lateTime)
		f.counter.Add(ctx, 1, metric.WithAttributes(path("/a")))
		f.counter.Finish(ctx, path("/a"))
		if got := len(f.ended) + len(f.ended[0].more); got > 2*maxMore {
			t.Errorf("%d are kept", got)
		}
		if got, want := f.samples(), fmt.Sprintf("c_total{path=\"/a\"} %d\n", n+1); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

// If only pushes read, lines of ended series are removed.
func TestLinesOfPushesAreSwept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFamily(push)
		for i := range 10_000 {
			f.counter.Add(ctx, 1, metric.WithAttributes(attribute.Int("i", i)))
			if _, plain, _ := f.CollectPlain(push); !plain {
				t.Fatal("it is not plain")
			}
			f.counter.Finish(ctx, attribute.Int("i", i))
			if i%100 == 99 {
				time.Sleep(2 * lateTime)
			}
		}
		if n := len(f.lines); n > 5000 {
			t.Errorf("%d lines are kept", n)
		}
	})
}

// Attributes are equal to themselves, whatever their values.
func TestNaN(t *testing.T) {
	f := newFamily(Page)
	for range 3 {
		f.counter.Add(ctx, 1, metric.WithAttributes(attribute.Float64Slice("x", []float64{math.NaN(), 1})))
	}
	if f.Len() != 1 {
		t.Errorf("%d series", f.Len())
	}
	f.counter.Finish(ctx, attribute.Float64Slice("x", []float64{math.NaN(), 1}))
	if f.Len() != 0 || !strings.HasSuffix(f.samples(), " 3\n") || f.samples() != "" {
		t.Error("it is not finished once")
	}
}

// A bound handle that met the limit records to its own series as soon as there is room.
func TestBoundHandleAtTheLimit(t *testing.T) {
	f := newFamily(Page)
	f.rules.Limit = 2
	f.counter.Add(ctx, 1, metric.WithAttributes(path("/a")))
	var bound Int64Adder
	f.counter.BindTo(&bound.Handle, []attribute.KeyValue{path("/b")})
	bound.Add(ctx, 1)
	f.counter.Finish(ctx, path("/a"))
	bound.Add(ctx, 1)
	f.counter.Add(ctx, 1, metric.WithAttributes(path("/b")))
	f.samples()
	if got, want := f.samples(), "c_total{otel_metric_overflow=\"true\"} 3\n"; got != want && got != "c_total{path=\"/b\"} 2\n"+strings.Replace(want, "3", "1", 1) {
		t.Errorf("%q", got)
	}
}

// The number of labels counts, not text in a value that looks like one.
func TestOrderOfValuesWithSigns(t *testing.T) {
	if compareLabels(`a="x="`, `a="1",b="2"`) >= 0 {
		t.Error("two labels come before one")
	}
}

// Sums of integers are exact, also in a histogram, and a collected finished series does not change.
func TestIntegerHistogram(t *testing.T) {
	r := &Rules{Readers: push | push<<1}
	a := NewAccount(Definition{Name: "h", Class: rule.Histogram, Bounds: []float64{1, 2}}, r)
	var h Int64Recorder
	h.Init(a)
	for _, v := range []int64{1 << 53, 1, 1} {
		h.Record(ctx, v)
	}
	point := func(reader uint64) metricdata.HistogramDataPoint[int64] {
		return a.Collect(reader).Data.(metricdata.Histogram[int64]).DataPoints[0]
	}
	if got := point(push).Sum; got != 1<<53+2 {
		t.Errorf("the sum is %d", got)
	}
	h.Finish(ctx)
	clear(point(push).BucketCounts)
	if got := point(push << 1).BucketCounts; !slices.Equal(got, []uint64{2, 0, 1}) {
		t.Errorf("counts are %v", got)
	}
}
