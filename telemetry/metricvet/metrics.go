package metricvet

import (
	"go/ast"
	"go/types"
	"strconv"
	"strings"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// The packages whose functions create and register metrics.
const (
	promPath     = "github.com/prometheus/client_golang/prometheus"
	autoPath     = promPath + "/promauto"
	collectors   = promPath + "/collectors"
	otelPath     = "go.opentelemetry.io/otel"
	metricPath   = otelPath + "/metric"
	libraryPath  = "github.com/onemeter/onemeter/telemetry"
	guardPath    = libraryPath + "/promguard"
	exporterPath = otelPath + "/exporters/prometheus"
)

const (
	defaultRegistry = "default" // client_golang's default registry, and OpenTelemetry's default MeterProvider
	clientGolang    = "client_golang"
	openTelemetry   = "OpenTelemetry"
)

func registry(id string) value {
	return value{Kind: registerer, Fields: fields{"registry": literal(id), "prefix": literal("")}}
}

// clientKinds maps client_golang's constructors, without "New", to the TYPE that they create.
var clientKinds = map[string]string{
	"Counter": "counter", "CounterVec": "counter", "CounterFunc": "counter",
	"Gauge": "gauge", "GaugeVec": "gauge", "GaugeFunc": "gauge",
	"Histogram": "histogram", "HistogramVec": "histogram",
	"Summary": "summary", "SummaryVec": "summary",
	"UntypedFunc": "untyped",
}

// otelKinds maps the methods of OpenTelemetry's Meter, without the number type, to the kind that they create.
var otelKinds = map[string]sdkmetric.InstrumentKind{
	"Counter": sdkmetric.InstrumentKindCounter, "UpDownCounter": sdkmetric.InstrumentKindUpDownCounter,
	"Histogram": sdkmetric.InstrumentKindHistogram, "Gauge": sdkmetric.InstrumentKindGauge,
	"ObservableCounter":       sdkmetric.InstrumentKindObservableCounter,
	"ObservableUpDownCounter": sdkmetric.InstrumentKindObservableUpDownCounter,
	"ObservableGauge":         sdkmetric.InstrumentKindObservableGauge,
}

// metricFunc returns the results of functions of client_golang and OpenTelemetry.
func (e *evaluator) metricFunc(fn *types.Func, x *ast.CallExpr, s *scope) (value, bool) {
	pkg, recv, name := fn.Pkg().Path(), receiver(fn), fn.Name()
	arg := func(i int) value {
		if i < len(x.Args) {
			return e.eval(x.Args[i], s)
		}
		return value{Kind: zero}
	}
	switch {
	case pkg == promPath && recv == "" && name == "NewDesc":
		return e.made(x, clientGolang, "", arg(0), arg(1), arg(2), arg(3)), true
	case (pkg == promPath && recv == "" || pkg == autoPath && (recv == "" || recv == "Factory")) && strings.HasPrefix(name, "New"):
		if t, ok := clientKinds[strings.TrimPrefix(name, "New")]; ok {
			return e.ofOpts(x, t, arg(0), strings.HasSuffix(name, "Vec"), arg(1)), true
		}
		if pkg == promPath && (name == "NewRegistry" || name == "NewPedanticRegistry") {
			return registry(e.position(x.Pos()) + e.turn(x.Pos())), true
		}
		return e.standard(name, x, s)
	case pkg == collectors && recv == "":
		return e.standard(name, x, s)
	case pkg == promPath && recv == "" && (name == "WrapRegistererWith" || name == "WrapRegistererWithPrefix"):
		return wrapped(name, arg(0), arg(1)), true
	case pkg == autoPath && recv == "" && name == "With":
		return arg(0), true
	case pkg == otelPath && name == "GetMeterProvider":
		return value{Kind: object, Fields: fields{"provider": literal(defaultRegistry)}}, true
	case pkg == otelPath && recv == "" && name == "Meter", pkg == libraryPath && recv == "" && name == "Meter":
		return meterOf(literal(defaultRegistry), scopeOf(x, arg(0))), true
	case pkg == metricPath && recv == "MeterProvider" && name == "Meter":
		return meterOf(e.args(fn, x, s)(-1).field("provider"), scopeOf(x, arg(0))), true
	case pkg == metricPath && recv == "Meter":
		return e.instrument(name, x, s)
	}
	return value{}, false
}

// receiver returns the name of a method's receiver type, or "".
func receiver(fn *types.Func) string {
	r := fn.Signature().Recv()
	if r == nil {
		return ""
	}
	t := r.Type()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem()
	}
	if n, ok := t.(*types.Named); ok {
		return n.Obj().Name()
	}
	return ""
}

func (e *evaluator) made(x ast.Node, source, typ string, name, help, labels, consts value) value {
	return value{Kind: metric, Fields: fields{
		"source": literal(source), "type": literal(typ), "name": name, "help": help, "labels": labels, "const": consts,
		"site": literal(e.position(x.Pos())), "unit": literal(""), "scope": literal(""), "number": literal(""), "mute": e.mutedAt(x.Pos()),
	}}
}

// ofOpts returns a metric of client_golang created from options.
func (e *evaluator) ofOpts(x ast.Node, typ string, opts value, vec bool, labels value) value {
	name := value{Kind: call, Func: buildFQName, Items: []value{opts.field("Namespace"), opts.field("Subsystem"), opts.field("Name")}}
	if s, ok := name.computed(); ok {
		name = literal(s)
	}
	if !vec {
		labels = value{Kind: zero}
	}
	return e.made(x, clientGolang, typ, name, opts.field("Help"), labels, opts.field("ConstLabels"))
}

// standard returns one metric of a collector that the default registry has already.
func (e *evaluator) standard(name string, x *ast.CallExpr, s *scope) (value, bool) {
	zeroValue := value{Kind: zero}
	switch name {
	case "NewGoCollector":
		return e.made(x, clientGolang, "gauge", literal("go_info"), literal("Information about the Go environment."), zeroValue, zeroValue), true
	case "NewProcessCollector":
		if len(x.Args) == 1 {
			opts := e.eval(x.Args[0], s)
			if ns, ok := opts.field("Namespace").known(); ok && ns == "" && opts.Kind == object {
				return e.made(x, clientGolang, "gauge", literal("process_start_time_seconds"),
					literal("Start time of the process since unix epoch in seconds."), zeroValue, zeroValue), true
			}
		}
	}
	return value{}, false
}

// wrapped returns a registerer that adds a prefix or labels.
func wrapped(name string, with, to value) value {
	if to.Kind == zero {
		return to
	}
	if name == "WrapRegistererWithPrefix" && to.Kind == registerer {
		return to.with("prefix", joined(to.Fields["prefix"], with))
	}
	return value{} // the result depends on the labels
}

// scopeOf returns the scope of a meter. With options, such as a version, it is unknown.
func scopeOf(x *ast.CallExpr, name value) value {
	if len(x.Args) > 1 {
		return value{}
	}
	return name
}

func meterOf(provider, scope value) value {
	return value{Kind: meter, Fields: fields{"provider": provider, "scope": scope}}
}

// instrument returns an instrument of OpenTelemetry.
func (e *evaluator) instrument(method string, x *ast.CallExpr, s *scope) (value, bool) {
	number, kindName := "int64", strings.TrimPrefix(method, "Int64")
	if strings.HasPrefix(method, "Float64") {
		number, kindName = "float64", strings.TrimPrefix(method, "Float64")
	}
	k, ok := otelKinds[kindName]
	if !ok || kindName == method || len(x.Args) == 0 {
		return value{}, ok
	}
	v := e.made(x, openTelemetry, strconv.Itoa(int(k)), e.eval(x.Args[0], s), literal(""), value{}, value{})
	v.Fields["number"] = literal(number)
	for _, o := range x.Args[1:] {
		o, ok := ast.Unparen(o).(*ast.CallExpr)
		if !ok || x.Ellipsis.IsValid() { // the options were created elsewhere
			v.Fields["help"], v.Fields["unit"] = value{}, value{}
			continue
		}
		fn := calledFunc(e.pass.TypesInfo, o)
		if fn == nil || fn.Pkg() == nil || fn.Pkg().Path() != metricPath {
			continue
		}
		switch fn.Name() {
		case "WithDescription":
			v.Fields["help"] = e.eval(o.Args[0], s)
		case "WithUnit":
			v.Fields["unit"] = e.eval(o.Args[0], s)
		case "WithExplicitBucketBoundaries":
			v.Fields["buckets"] = e.args(fn, o, s)(0)
		}
	}
	if f, ok := ast.Unparen(x.Fun).(*ast.SelectorExpr); ok {
		m := e.eval(f.X, s)
		v.Fields["scope"] = m.field("scope")
		v.Fields["provider"] = m.field("provider")
	}
	return v, true
}

// call adds the effects of a call.
func (w *walker) call(x *ast.CallExpr) {
	e := w.e
	fn := calledFunc(e.pass.TypesInfo, x)
	if fn == nil || fn.Pkg() == nil {
		return
	}
	pkg, recv, name := fn.Pkg().Path(), receiver(fn), fn.Name()
	here := e.position(x.Pos())
	register := func(to value, must bool, what []value) {
		for _, m := range flat(what) {
			if m.Kind == metric || m.Kind == param {
				w.out.Effects = append(w.out.Effects, effect{Metric: m, To: to, Must: must, Maybe: w.maybe, Via: here, Turn: e.turn(x.Pos())})
			}
		}
	}
	given := func() (out []value) {
		for i, a := range x.Args {
			v := e.typed(a, w.scope)
			if x.Ellipsis.IsValid() && i == len(x.Args)-1 && v.Kind != list {
				continue
			}
			out = append(out, v)
		}
		return out
	}
	to := func() value { return e.args(fn, x, w.scope)(-1) }
	switch {
	case name == "Describe" && len(x.Args) == 1: // a collector describes what its parts describe
		w.out.Sends = append(w.out.Sends, to())
		w.out.Partly = w.out.Partly || w.maybe
	case pkg == promPath && recv == "" && name == "MustRegister":
		register(registry(defaultRegistry), true, given())
	case pkg == promPath && recv == "" && name == "Register":
		register(registry(defaultRegistry), false, given())
	case pkg == promPath && (recv == "Registerer" || recv == "Registry") && name == "MustRegister":
		register(to(), true, given())
	case pkg == promPath && (recv == "Registerer" || recv == "Registry") && name == "Register":
		register(to(), false, given())
	default:
		made, isMetric := e.metricFunc(fn, x, w.scope)
		if isMetric && made.Kind == metric {
			w.out.Makes = append(w.out.Makes, made)
			switch {
			case pkg == autoPath && recv == "":
				register(registry(defaultRegistry), true, []value{made})
			case pkg == autoPath:
				register(to(), true, []value{made})
			case pkg == metricPath:
				register(value{Kind: meter, Fields: fields{"provider": made.Fields["provider"]}}, false, []value{made})
			}
			return
		}
		if !isMetric {
			w.summary(e.summaryOf(fn), fn, x)
		}
	}
}

// summary adds the effects of a called function.
func (w *walker) summary(s *summary, fn *types.Func, x *ast.CallExpr) {
	if s == nil {
		return
	}
	e := w.e
	args := e.args(fn, x, w.scope)
	here := e.position(x.Pos())
	for _, m := range s.Makes {
		if m.open() {
			w.out.Makes = append(w.out.Makes, e.placed(m.fill(args), m, x))
		}
	}
	for _, f := range s.Effects {
		for i, args := range each(f.Metric, args) {
			filled := e.placed(f.Metric.fill(args), f.Metric, x)
			to := e.placed(f.To.fill(args), f.To, x)
			for _, m := range flat([]value{filled}) {
				if m.Kind == metric || m.Kind == param {
					w.out.Effects = append(w.out.Effects, effect{
						Metric: m, To: to, Must: f.Must, Maybe: f.Maybe || w.maybe, Via: here, Turn: e.turn(x.Pos()) + f.Turn + i,
					})
				}
			}
		}
	}
}

// flat returns the elements of nested lists in one list.
func flat(vs []value) (out []value) {
	for _, v := range vs {
		if v.Kind == list {
			out = append(out, flat(v.Items)...)
		} else {
			out = append(out, v)
		}
	}
	return out
}
