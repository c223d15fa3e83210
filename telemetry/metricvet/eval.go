package metricvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/tools/go/types/typeutil"
)

// eval returns what is known of an expression.
func (e *evaluator) eval(x ast.Expr, s *scope) value {
	if x == nil {
		return value{}
	}
	info := e.pass.TypesInfo
	if tv := info.Types[x]; tv.Value != nil {
		switch tv.Value.Kind() {
		case constant.String:
			return literal(constant.StringVal(tv.Value))
		case constant.Float: // not as a fraction
			return literal(tv.Value.String())
		}
		return literal(tv.Value.ExactString())
	}
	switch x := x.(type) {
	case *ast.ParenExpr:
		return e.eval(x.X, s)
	case *ast.StarExpr:
		return e.eval(x.X, s)
	case *ast.TypeAssertExpr:
		return e.eval(x.X, s)
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return e.eval(x.X, s)
		}
	case *ast.BinaryExpr:
		if x.Op == token.ADD && isText(info.TypeOf(x)) {
			return joined(e.eval(x.X, s), e.eval(x.Y, s))
		}
	case *ast.Ident:
		return e.object(info.ObjectOf(x), s, x.Pos())
	case *ast.SelectorExpr:
		return e.selected(x, s)
	case *ast.CompositeLit:
		return e.composite(x, s)
	case *ast.CallExpr:
		return e.result(x, s)
	}
	return value{}
}

func isText(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}

// object returns the value of a variable that is assigned once.
func (e *evaluator) object(obj types.Object, s *scope, pos token.Pos) value {
	switch obj := obj.(type) {
	case *types.Nil:
		return value{Kind: zero}
	case *types.Var:
		if s != nil {
			if i, ok := s.params[obj]; ok {
				if len(e.assigned[obj]) > 0 {
					return value{}
				}
				if e.escaped[obj] && isStruct(obj.Type()) {
					return value{}
				}
				return e.amended(obj, value{Kind: param, Param: i}, s, pos)
			}
		}
		if obj.Pkg() == nil {
			return value{}
		}
		if obj.Pkg().Path() == promPath && (obj.Name() == "DefaultRegisterer" || obj.Name() == "DefaultGatherer") {
			return registry(defaultRegistry)
		}
		if obj.Pkg() != e.pass.Pkg {
			var f varFact
			if e.pass.ImportObjectFact(obj, &f) {
				return f.Value
			}
			return value{}
		}
		if e.busy[obj] {
			return value{}
		}
		e.busy[obj] = true
		defer delete(e.busy, obj)
		switch from := e.assigned[obj]; {
		case len(from) == 0 && e.ranged[obj] != nil:
			if item, ok := e.item(obj); ok {
				return item
			}
			return e.eval(e.ranged[obj], e.within[obj]).field(element)
		case len(from) == 1 && from[0] != nil && e.declared[obj]:
			return e.held(obj, e.eval(from[0], e.within[obj]), s, pos)
		case len(from) == 1 && from[0] != nil && e.zeroed[obj]:
			// A metric that is still nil would not be registered either. Parts of names could be.
			if v := e.eval(from[0], e.within[obj]); v.Kind == metric && (s == e.within[obj] || !v.open()) {
				return v
			}
		case len(from) == 0 && isStruct(obj.Type()) && e.zeroed[obj]:
			return e.held(obj, value{Kind: object}, s, pos)
		}
	}
	return value{}
}

// held returns the value of a variable at a place, if v was assigned to it.
func (e *evaluator) held(obj types.Object, v value, s *scope, pos token.Pos) value {
	v = e.amended(obj, v, s, pos)
	everybodys := obj.Exported() && obj.Parent() == e.pass.Pkg.Scope() && e.pass.Pkg.Name() != "main"
	if everybodys || e.escaped[obj] || e.lent[obj] && v.Kind != registerer {
		return v.shared()
	}
	return v
}

// amended returns a struct with the fields that are set before a place. It knows those that are set once and without a
// condition.
func (e *evaluator) amended(obj types.Object, v value, s *scope, pos token.Pos) value {
	set := e.fields[obj]
	if len(set) == 0 {
		return v
	}
	if v.Kind != object {
		return value{}
	}
	out := value{Kind: object, Partly: v.Partly, Fields: fields{}}
	for name, f := range v.Fields {
		out.Fields[name] = f
	}
	for name, all := range set {
		_, before := v.Fields[name]
		out.Fields[name] = value{}
		if one := all[0]; len(all) == 1 && !before && one.always && one.pos < pos {
			out.Fields[name] = e.eval(one.to, s)
		}
	}
	return out
}

// selected returns the value of a field, or of a variable of another package.
func (e *evaluator) selected(x *ast.SelectorExpr, s *scope) value {
	info := e.pass.TypesInfo
	sel, ok := info.Selections[x]
	if !ok {
		return e.object(info.ObjectOf(x.Sel), s, x.Pos())
	}
	if _, ok := sel.Obj().(*types.Var); !ok {
		return value{}
	}
	return through(e.eval(x.X, s), sel.Recv(), sel.Index())
}

// through selects fields by index, including embedded ones.
func through(v value, t types.Type, index []int) value {
	for _, i := range index {
		if p, ok := t.Underlying().(*types.Pointer); ok {
			t = p.Elem()
		}
		st, ok := t.Underlying().(*types.Struct)
		if !ok {
			return value{}
		}
		v, t = v.field(st.Field(i).Name()), st.Field(i).Type()
	}
	return v
}

func (e *evaluator) composite(x *ast.CompositeLit, s *scope) value {
	t := e.pass.TypesInfo.TypeOf(x)
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	switch t := t.Underlying().(type) {
	case *types.Struct:
		out := value{Kind: object, Fields: fields{}}
		for i, elt := range x.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok {
					out.Fields[key.Name] = e.eval(kv.Value, s)
				}
			} else if i < t.NumFields() {
				out.Fields[t.Field(i).Name()] = e.eval(elt, s)
			}
		}
		return out
	case *types.Slice, *types.Array:
		out := value{Kind: list}
		for _, elt := range x.Elts {
			if _, ok := elt.(*ast.KeyValueExpr); ok {
				return value{}
			}
			out.Items = append(out.Items, e.typed(elt, s))
		}
		return out
	case *types.Map:
		out := value{Kind: object, Fields: fields{}}
		for _, elt := range x.Elts {
			kv, ok := elt.(*ast.KeyValueExpr)
			if !ok {
				return value{}
			}
			key, ok := e.eval(kv.Key, s).known()
			if !ok {
				return value{}
			}
			out.Fields[key] = e.eval(kv.Value, s)
		}
		return out
	}
	return value{}
}

// result returns the first result of a call.
func (e *evaluator) result(x *ast.CallExpr, s *scope) value {
	info := e.pass.TypesInfo
	if tv, ok := info.Types[x.Fun]; ok && tv.IsType() && len(x.Args) == 1 { // a conversion
		return e.eval(x.Args[0], s)
	}
	if b, ok := typeutil.Callee(info, x).(*types.Builtin); ok {
		return e.builtin(b.Name(), x, s)
	}
	fn := calledFunc(info, x)
	if fn == nil || fn.Pkg() == nil {
		return value{}
	}
	if v, ok := e.textFunc(fn, x, s); ok {
		return v
	}
	if v, ok := e.metricFunc(fn, x, s); ok {
		return v
	}
	sum := e.summaryOf(fn)
	if sum == nil || len(sum.Returns) == 0 {
		return value{}
	}
	return e.placed(sum.Returns[0].fill(e.args(fn, x, s)), sum.Returns[0], x)
}

func calledFunc(info *types.Info, x *ast.CallExpr) *types.Func {
	fn, _ := typeutil.Callee(info, x).(*types.Func)
	return fn
}

func (e *evaluator) builtin(name string, x *ast.CallExpr, s *scope) value {
	switch name {
	case "new":
		return value{Kind: object}
	case "append":
		out := e.eval(x.Args[0], s)
		if out.Kind != list && out.Kind != zero || x.Ellipsis.IsValid() {
			return value{}
		}
		out = value{Kind: list, Items: append([]value(nil), out.Items...)}
		for _, a := range x.Args[1:] {
			out.Items = append(out.Items, e.eval(a, s))
		}
		return out
	}
	return value{}
}

// args returns a function that returns the arguments of a call by the index of their parameter. -1 is the receiver, and the
// last argument of a variadic function is a list.
func (e *evaluator) args(fn *types.Func, x *ast.CallExpr, s *scope) func(int) value {
	sig := fn.Signature()
	return func(i int) value {
		switch last := sig.Params().Len() - 1; {
		case i < 0:
			f, ok := ast.Unparen(x.Fun).(*ast.SelectorExpr)
			if !ok {
				return value{}
			}
			sel := e.pass.TypesInfo.Selections[f]
			if sel == nil || sel.Kind() != types.MethodVal {
				return value{}
			}
			return through(e.eval(f.X, s), sel.Recv(), sel.Index()[:len(sel.Index())-1])
		case methodExpr(e.pass.TypesInfo, x):
			return value{}
		case sig.Variadic() && i == last && !x.Ellipsis.IsValid():
			out := value{Kind: list}
			for _, a := range x.Args[min(last, len(x.Args)):] {
				out.Items = append(out.Items, e.typed(a, s))
			}
			return out
		case i < len(x.Args):
			return e.typed(x.Args[i], s)
		}
		return value{}
	}
}

// methodExpr reports whether the call is of the form T.method, with the receiver as an argument.
func methodExpr(info *types.Info, x *ast.CallExpr) bool {
	f, ok := ast.Unparen(x.Fun).(*ast.SelectorExpr)
	return ok && info.Selections[f] != nil && info.Selections[f].Kind() == types.MethodExpr
}

// typed is eval, but for a custom collector it returns what its method Describe sends.
func (e *evaluator) typed(x ast.Expr, s *scope) value {
	v := e.eval(x, s)
	t := e.pass.TypesInfo.TypeOf(x)
	if v.Kind == metric || v.Kind == list || v.Kind == param || t == nil || types.IsInterface(t) {
		return v
	}
	obj, _, _ := types.LookupFieldOrMethod(t, true, e.pass.Pkg, "Describe")
	fn, ok := obj.(*types.Func)
	if !ok || fn.Pkg() == nil || fn.Pkg().Path() == promPath {
		return v
	}
	sum := e.summaryOf(fn)
	if sum == nil || len(sum.Sends) == 0 {
		return v
	}
	out := value{Kind: list}
	for _, sent := range sum.Sends {
		sent = sent.fill(func(i int) value {
			if i == -1 {
				return v
			}
			return value{}
		})
		for _, d := range flat([]value{sent}) {
			if d.Kind == metric {
				d = d.with("collector", literal(e.position(x.Pos())))
				if sum.Partly {
					d = d.with("partly", literal("yes"))
				}
				out.Items = append(out.Items, d)
			}
		}
	}
	return out
}

// placed returns a function's result as its caller sees it: a metric whose name the caller completed is located at
// the call, and a registry created by the function is a new one at each call.
func (e *evaluator) placed(v, before value, x *ast.CallExpr) value {
	here := e.position(x.Pos())
	switch v.Kind {
	case metric:
		if before.Kind == metric && before.Fields["name"].open() && !v.Fields["name"].open() {
			v = v.with("site", literal(here))
		}
	case registerer:
		if id, ok := v.Fields["registry"].known(); ok && id != defaultRegistry && before.Kind == registerer && !before.open() {
			v = v.with("registry", literal(id+"@"+here+e.turn(x.Pos())))
		}
	case object:
		if before.Kind == object {
			out := value{Kind: object, Partly: v.Partly, Fields: fields{}}
			for name, f := range v.Fields {
				out.Fields[name] = e.placed(f, before.Fields[name], x)
			}
			return out
		}
	}
	return v
}

// with returns v with another field.
func (v value) with(name string, f value) value {
	out := value{Kind: v.Kind, Fields: fields{}}
	for k, old := range v.Fields {
		out.Fields[k] = old
	}
	out.Fields[name] = f
	return out
}

// textFunc evaluates functions that build strings.
func (e *evaluator) textFunc(fn *types.Func, x *ast.CallExpr, s *scope) (value, bool) {
	arg := func(i int) value { return e.eval(x.Args[i], s) }
	switch name := fn.FullName(); name {
	case "fmt.Sprintf":
		return e.formatted(x, s), true
	case "fmt.Sprint":
		out := value{Kind: text}
		for i := range x.Args {
			out = joined(out, arg(i))
		}
		return out, len(x.Args) == 1
	case "strings.Join":
		if len(x.Args) != 2 {
			return hole, true
		}
		items, ok := arg(0).texts()
		sep, known := arg(1).known()
		if !ok || !known {
			return hole, true
		}
		return literal(strings.Join(items, sep)), true
	default:
		if textFuncs[name] == nil {
			return value{}, false
		}
		if len(x.Args) != fn.Signature().Params().Len() { // the arguments are the results of another call
			return hole, true
		}
		v := value{Kind: call, Func: name}
		for i := range x.Args {
			v.Items = append(v.Items, arg(i))
		}
		if s, ok := v.computed(); ok {
			return literal(s), true
		}
		return v, true
	}
}

const buildFQName = promPath + ".BuildFQName"

// textFuncs are the functions that names are built with.
var textFuncs = map[string]func([]string) string{
	buildFQName:          func(a []string) string { return prometheus.BuildFQName(a[0], a[1], a[2]) },
	"strings.ReplaceAll": func(a []string) string { return strings.ReplaceAll(a[0], a[1], a[2]) },
	"strings.Replace": func(a []string) string {
		n, err := strconv.Atoi(a[3])
		if err != nil {
			n = -1
		}
		return strings.Replace(a[0], a[1], a[2], n)
	},
	"strings.ToLower":    func(a []string) string { return strings.ToLower(a[0]) },
	"strings.ToUpper":    func(a []string) string { return strings.ToUpper(a[0]) },
	"strings.TrimSpace":  func(a []string) string { return strings.TrimSpace(a[0]) },
	"strings.Trim":       func(a []string) string { return strings.Trim(a[0], a[1]) },
	"strings.TrimLeft":   func(a []string) string { return strings.TrimLeft(a[0], a[1]) },
	"strings.TrimRight":  func(a []string) string { return strings.TrimRight(a[0], a[1]) },
	"strings.TrimPrefix": func(a []string) string { return strings.TrimPrefix(a[0], a[1]) },
	"strings.TrimSuffix": func(a []string) string { return strings.TrimSuffix(a[0], a[1]) },
}

// speaks reports whether a type defines how it is printed.
func speaks(t types.Type) bool {
	for _, name := range []string{"String", "Error", "Format"} {
		if obj, _, _ := types.LookupFieldOrMethod(t, true, nil, name); obj != nil {
			return true
		}
	}
	return false
}

// formatted evaluates %s, %d, %v and %%; anything else becomes a hole.
func (e *evaluator) formatted(x *ast.CallExpr, s *scope) value {
	if x.Ellipsis.IsValid() || len(x.Args) == 0 {
		return hole
	}
	format, ok := e.eval(x.Args[0], s).known()
	if !ok {
		return hole
	}
	out := value{Kind: text}
	next := 1
	for format != "" {
		before, rest, found := strings.Cut(format, "%")
		out.Parts = append(out.Parts, part{Literal: before})
		if !found || rest == "" {
			break
		}
		verb := rest[0]
		format = rest[1:]
		switch {
		case verb == '%':
			out.Parts = append(out.Parts, part{Literal: "%"})
		case strings.IndexByte("sdv", verb) >= 0 && next < len(x.Args) && !speaks(e.pass.TypesInfo.TypeOf(x.Args[next])):
			out = joined(out, e.eval(x.Args[next], s))
			next++
		default:
			return joined(out, hole)
		}
	}
	return out
}
