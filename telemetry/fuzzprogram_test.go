package telemetry_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	otelprom "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A tape is the fuzzer's input, read as choices.
type tape struct{ rest []byte }

// next returns a number below n.
func (t *tape) next(n int) int {
	if len(t.rest) == 0 {
		return 0
	}
	b := t.rest[0]
	t.rest = t.rest[1:]
	return int(b) % n
}

// tallied is an instrument of a fuzzed program, with the totals of its unfinished series. Instruments of one scope,
// family and number type share their series.
type tallied struct {
	synchronous
	kind   sdkmetric.InstrumentKind
	series map[attribute.Set]int
}

// add adds a value to a sum, or one to a count.
func (c *tallied) add(kvs []attribute.KeyValue, v int) {
	set := attribute.NewSet(slices.Clone(kvs)...)
	switch c.kind {
	case sdkmetric.InstrumentKindCounter:
		c.series[set] += v
	case sdkmetric.InstrumentKindHistogram:
		c.series[set]++
	}
}

// A fuzzed program with one Provider.
type fuzzed struct {
	*testing.T
	p      *telemetry.Provider
	made   []*tallied
	shared map[string]map[attribute.Set]int
}

// create creates an instrument, unless its name is refused.
func (f *fuzzed) create(i instrumentOf) {
	if refused(i.name) {
		if i, err := f.p.Meter(i.scope).Int64Counter(i.name, unit(i.unit), desc(i.desc)); err == nil || i == nil {
			f.Fatalf("%q is not refused", i)
		}
		return
	}
	kind := synchronousKinds[i.kind]
	s := kind.make(f.p.Meter(i.scope), i)
	valid := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
	at := slices.IndexFunc(f.p.Instruments(), func(x telemetry.Instrument) bool {
		return x.Scope.Name == i.scope && x.Name == i.name && x.Unit == valid(i.unit) && x.Description == valid(i.desc) &&
			x.Kind == kind.kind && x.Number == kind.number
	})
	if at < 0 {
		f.Fatalf("%+v is not among the instruments", i)
	}
	x := f.p.Instruments()[at]
	key := x.Scope.Name + "\x00" + x.Prometheus + "\x00" + x.Number
	if f.shared[key] == nil {
		f.shared[key] = map[attribute.Set]int{}
	}
	f.made = append(f.made, &tallied{s, kind.kind, f.shared[key]})
}

func (f *fuzzed) push() {
	if err := f.p.ForceFlush(ctx); err != nil {
		f.Fatal(err)
	}
}

// scrape reads the page in one of its formats. A finished series is on one page only.
func (f *fuzzed) scrape(format int) {
	var err error
	switch format % 3 {
	case 0:
		_, err = parseText(get(f, f.p.Handler(), acceptText))
	case 1:
		err = checkOpenMetrics(get(f, f.p.Handler(), acceptOpenMetrics))
	case 2:
		_, err = parseProtobuf(get(f, f.p.Handler(), acceptProtobuf))
	}
	if err != nil {
		f.Fatal(err)
	}
}

// FuzzProgram runs programs that create, record, bind, finish, scrape and push in any order, with any names, units,
// descriptions, keys and values. Strict parsers must accept the page, sums must be exact, and pushes must agree with
// it.
func FuzzProgram(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 5, 2, 0, 7, 3, 0, 4, 5}, "http.requests", "http_requests_total", "s", "A", "path", "/a")
	f.Add([]byte{0, 1, 0, 0, 4, 1, 1, 0, 3, 1, 1, 9, 3, 0, 4, 1, 0, 4, 5, 4, 3, 1, 4, 4}, "lat", "lat.count", "By", "\xff", "le", "\xff")
	f.Add([]byte{0, 3, 1, 0, 2, 2, 2, 0, 1, 2, 1, 1, 3, 0, 3, 1, 4, 5, 3, 0, 5, 4, 4}, "", "!!!", "/", "", "", "\n\"\\")
	f.Fuzz(func(t *testing.T, data []byte, n1, n2, u, d, key, value string) {
		if len(data) <= 300 { // beyond is more of the same
			runProgram(t, data, n1, n2, u, d, key, value)
		}
	})
}

// TestPrograms does the same with programs drawn from values that collide.
func TestPrograms(t *testing.T) {
	t.Parallel()
	names := []string{"x", "X", "x.total", "x_total", "x.count", "x_sum", "x_gauge", "x.seconds", "target.info", "", "!!", "total"}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		pick := func(from ...string) string { return from[r.IntN(len(from))] }
		data := make([]byte, r.IntN(300))
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		runProgram(t, data, pick(names...), pick(names...), pick("", "s", "By", "{x}", "total"), pick("", "A", "\xff"),
			pick("a", "a.b", "le", "", "__name__", "\xff"), pick("", "v", "\xff", "\n\"\\", "n"))
		if t.Failed() {
			t.Fatalf("the seed is %d", seed)
		}
	}
}

func runProgram(t *testing.T, data []byte, n1, n2, u, d, key, value string) {
	w := newWire(t)
	f := &fuzzed{T: t, shared: map[string]map[attribute.Set]int{}}
	f.p = newProvider(t, telemetry.WithMetricExporter(w), telemetry.WithCardinalityLimit(0))
	sets := [][]attribute.KeyValue{
		nil, {attribute.String(key, value)}, {attribute.String(key, value), attribute.Int("n", 1)}, {attribute.String("n", "1")},
		{attribute.Int("n", 1)}, {attribute.String(value, key), attribute.String("empty", "")},
	}
	finished := 0
	for c := (&tape{data}); len(c.rest) > 0; {
		what := c.next(6)
		if what == 0 || len(f.made) == 0 {
			f.create(instrumentOf{
				scope: []string{"one", "two", n1}[c.next(3)], name: []string{n1, n2, n1 + ".total"}[c.next(3)],
				unit: []string{"", u}[c.next(2)], desc: []string{"", d}[c.next(2)], kind: c.next(len(synchronousKinds)),
			})
			continue
		}
		i, kvs, v := f.made[c.next(len(f.made))], sets[c.next(len(sets))], c.next(100)
		switch what {
		case 1:
			i.record(ctx, v, metric.WithAttributes(kvs...))
			i.add(kvs, v)
		case 2:
			record, ok := i.bind(kvs...)
			if !ok {
				t.Fatal("it cannot be bound")
			}
			record(ctx, v)
			i.add(kvs, v)
		case 3:
			i.finish(kvs...)
			delete(i.series, attribute.NewSet(slices.Clone(kvs)...))
			finished++
		case 4:
			f.scrape(v)
		case 5:
			f.push()
		}
	}
	for range finished + 1 { // each is collected once more, one after another where they follow each other
		f.push()
		get(t, f.p.Handler(), acceptText)
	}
	want := 0
	for _, series := range f.shared {
		for _, v := range series {
			want += v
		}
	}
	got := 0.0
	for name, family := range scrape(t, f.p) {
		if own(name) {
			continue
		}
		for _, m := range family.Metric {
			got += m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	if got != float64(want) {
		t.Errorf("the page counts %v, want %v\n%s", got, want, get(t, f.p.Handler(), acceptText))
	}
	w.agrees(t, f.p, otelprom.WithoutScopeInfo())
}
