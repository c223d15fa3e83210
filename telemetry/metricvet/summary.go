package metricvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// An effect is that a metric is registered, or an instrument made, when a function is called.
type effect struct {
	Metric value
	To     value // a registerer, or a meter
	Must   bool  // the program panics if it is refused
	Maybe  bool  // it depends on a condition
	Via    string
}

// A summary is what callers need to know of a function.
type summary struct {
	Effects []effect
	Makes   []value // metrics that it makes, registered or not
	Returns []value
	Sends   []value // descriptions that a method Describe sends
}

// AFact makes it a fact about the function.
func (*summary) AFact() {}

func (s *summary) empty() bool {
	useful := func(v value) bool { return v.Kind != unknown && v.Kind != zero }
	return len(s.Effects) == 0 && len(s.Makes) == 0 && len(s.Sends) == 0 && !slices.ContainsFunc(s.Returns, useful)
}

// A varFact is what is known of a package variable.
type varFact struct{ Value value }

// AFact makes it a fact about the variable.
func (*varFact) AFact() {}

// A scope is the function that an expression stands in; nil is the package.
type scope struct {
	params map[types.Object]int
}

// An evaluator knows what the expressions of a package stand for.
type evaluator struct {
	pass      *analysis.Pass
	assigned  map[types.Object][]ast.Expr // nil where several values are assigned at once, or the address is taken
	fields    map[types.Object]map[string][]ast.Expr
	set       map[*types.Var][]ast.Expr // of fields, in composite literals and assignments anywhere
	ranged    map[types.Object]ast.Expr // what a variable of a loop is an element of
	within    map[types.Object]*scope   // of local variables
	decls     map[*types.Func]*ast.FuncDecl
	scopes    map[*types.Func]*scope
	summaries map[*types.Func]*summary
	busy      map[any]bool
	places    map[string]token.Pos // of this package, by their text
	muted     map[lineOf]bool
	replaced  bool // prometheus.DefaultRegisterer is assigned
}

func newEvaluator(pass *analysis.Pass, files []*ast.File) *evaluator {
	e := &evaluator{
		pass: pass, assigned: map[types.Object][]ast.Expr{}, fields: map[types.Object]map[string][]ast.Expr{},
		set: map[*types.Var][]ast.Expr{}, within: map[types.Object]*scope{}, ranged: map[types.Object]ast.Expr{}, decls: map[*types.Func]*ast.FuncDecl{},
		scopes: map[*types.Func]*scope{}, summaries: map[*types.Func]*summary{}, busy: map[any]bool{},
		places: map[string]token.Pos{}, muted: map[lineOf]bool{},
	}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if fn, ok := pass.TypesInfo.Defs[d.Name].(*types.Func); ok && d.Body != nil {
					e.decls[fn] = d
					e.scopes[fn] = e.scopeOf(d)
					e.note(d.Body, e.scopes[fn])
				}
			case *ast.GenDecl:
				e.note(d, nil)
			}
		}
	}
	return e
}

func (e *evaluator) scopeOf(d *ast.FuncDecl) *scope {
	s := &scope{params: map[types.Object]int{}}
	if d.Recv != nil && len(d.Recv.List) > 0 && len(d.Recv.List[0].Names) > 0 {
		s.params[e.pass.TypesInfo.Defs[d.Recv.List[0].Names[0]]] = -1
	}
	i := 0
	for _, f := range d.Type.Params.List {
		if len(f.Names) == 0 {
			i++
		}
		for _, name := range f.Names {
			s.params[e.pass.TypesInfo.Defs[name]] = i
			i++
		}
	}
	return s
}

// note remembers what is assigned to variables and fields.
func (e *evaluator) note(n ast.Node, s *scope) {
	info := e.pass.TypesInfo
	assign := func(to ast.Expr, from ast.Expr) {
		switch to := ast.Unparen(to).(type) {
		case *ast.Ident:
			if obj := info.ObjectOf(to); obj != nil {
				e.assigned[obj] = append(e.assigned[obj], from)
				e.within[obj] = s
			}
		case *ast.SelectorExpr:
			f, ok := info.ObjectOf(to.Sel).(*types.Var)
			if ok && f.IsField() {
				e.set[f] = append(e.set[f], from)
			}
			if ok && f.Pkg() != nil && f.Pkg().Path() == promPath && f.Name() == "DefaultRegisterer" {
				e.replaced = true
			}
			if x, ok := ast.Unparen(to.X).(*ast.Ident); ok {
				if obj := info.ObjectOf(x); obj != nil {
					if e.fields[obj] == nil {
						e.fields[obj] = map[string][]ast.Expr{}
					}
					e.fields[obj][to.Sel.Name] = append(e.fields[obj][to.Sel.Name], from)
					e.within[obj] = s
				}
			}
		}
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				var from ast.Expr
				if len(n.Lhs) == len(n.Rhs) && (n.Tok == token.ASSIGN || n.Tok == token.DEFINE) {
					from = n.Rhs[i]
				} else if i == 0 && len(n.Rhs) == 1 && (n.Tok == token.ASSIGN || n.Tok == token.DEFINE) {
					from = n.Rhs[0] // the first of several results
				}
				assign(to, from)
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				switch {
				case len(n.Values) == len(n.Names):
					assign(name, n.Values[i])
				case len(n.Values) == 1 && i == 0:
					assign(name, n.Values[0])
				case len(n.Values) > 0:
					assign(name, nil)
				}
			}
		case *ast.RangeStmt:
			if x, ok := n.Value.(*ast.Ident); ok && n.Tok == token.DEFINE {
				obj := info.ObjectOf(x)
				e.ranged[obj], e.within[obj] = n.X, s
			} else if n.Value != nil {
				assign(n.Value, nil)
			}
			if n.Key != nil {
				assign(n.Key, nil)
			}
		case *ast.IncDecStmt:
			assign(n.X, nil)
		case *ast.UnaryExpr:
			if x, ok := ast.Unparen(n.X).(*ast.Ident); ok && n.Op == token.AND {
				if obj, ok := info.ObjectOf(x).(*types.Var); ok && !isStruct(obj.Type()) {
					assign(x, nil) // somebody may change it
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok {
				if f, ok := info.ObjectOf(key).(*types.Var); ok && f.IsField() {
					e.set[f] = append(e.set[f], n.Value)
					if s != nil {
						e.within[f] = s
					}
				}
			}
		}
		return true
	})
}

func isStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok
}

// position names a place in the code.
func (e *evaluator) position(pos token.Pos) string {
	text := e.pass.Fset.Position(pos).String()
	e.places[text] = pos
	return text
}

// summaryOf returns what is known of a function, of this package or another; nil is nothing.
func (e *evaluator) summaryOf(fn *types.Func) *summary {
	fn = fn.Origin()
	if fn.Pkg() != e.pass.Pkg {
		s := new(summary)
		if e.pass.ImportObjectFact(fn, s) {
			return s
		}
		return nil
	}
	if s, ok := e.summaries[fn]; ok {
		return s
	}
	d := e.decls[fn]
	if d == nil || e.busy[fn] {
		return nil
	}
	e.busy[fn] = true
	defer delete(e.busy, fn)
	sc := e.scopes[fn]
	s := &summary{Returns: e.results(d, sc)}
	w := walker{e: e, scope: sc, out: s}
	w.visit(d.Body)
	e.summaries[fn] = s
	return s
}

// results are the values that a function returns where it succeeds.
func (e *evaluator) results(d *ast.FuncDecl, s *scope) (out []value) {
	if d.Type.Results == nil {
		return nil
	}
	found := 0
	ast.Inspect(d.Body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			var vs []value
			for _, r := range n.Results {
				vs = append(vs, e.eval(r, s))
			}
			if len(vs) > 0 && vs[0].Kind != zero {
				found++
				out = vs
			}
		}
		return true
	})
	if found != 1 {
		return nil
	}
	return out
}

// A walker gathers what the statements of a function do.
type walker struct {
	e     *evaluator
	scope *scope
	maybe bool
	out   *summary
}

// visit walks n; what depends on a condition may happen.
func (w *walker) visit(n ast.Node) {
	if n == nil {
		return
	}
	switch n := n.(type) {
	case *ast.BlockStmt:
		before := w.maybe
		for _, s := range n.List {
			w.visit(s)
			if i, ok := s.(*ast.IfStmt); ok && leaves(i) {
				w.maybe = true // what follows does not always happen
			}
		}
		w.maybe = before
	case *ast.IfStmt:
		w.visitAll(n.Init, n.Cond)
		w.under(n.Body, n.Else)
	case *ast.ForStmt:
		w.visitAll(n.Init, n.Cond)
		w.under(n.Body, n.Post)
	case *ast.RangeStmt:
		w.visit(n.X)
		if v := w.e.eval(n.X, w.scope); v.Kind == list && len(v.Items) > 0 && !leavesLoop(n.Body) {
			w.visit(n.Body) // its variable stands for each element
		} else {
			w.under(n.Body)
		}
	case *ast.SwitchStmt:
		w.visitAll(n.Init, n.Tag)
		w.under(n.Body)
	case *ast.TypeSwitchStmt:
		w.visitAll(n.Init, n.Assign)
		w.under(n.Body)
	case *ast.SelectStmt:
		w.under(n.Body)
	case *ast.GoStmt:
		w.under(n.Call)
	case *ast.DeferStmt:
		w.under(n.Call)
	case *ast.BinaryExpr:
		w.visit(n.X)
		if n.Op == token.LAND || n.Op == token.LOR {
			w.under(n.Y)
		} else {
			w.visit(n.Y)
		}
	case *ast.FuncLit: // who knows whether, and how often, it is called
		w.under(n.Body)
	case *ast.SendStmt:
		w.visitAll(n.Chan, n.Value)
		w.out.Sends = append(w.out.Sends, w.e.eval(n.Value, w.scope))
	case *ast.CallExpr:
		if lit, ok := ast.Unparen(n.Fun).(*ast.FuncLit); ok { // called at once
			w.visit(lit.Body)
		} else {
			w.visit(n.Fun)
		}
		for _, a := range n.Args {
			w.visit(a)
		}
		w.call(n)
	default:
		w.children(n)
	}
}

func (w *walker) visitAll(nodes ...ast.Node) {
	for _, n := range nodes {
		if n != nil {
			w.visit(n)
		}
	}
}

func (w *walker) under(nodes ...ast.Node) {
	before := w.maybe
	w.maybe = true
	w.visitAll(nodes...)
	w.maybe = before
}

// children visits what is directly below n.
func (w *walker) children(n ast.Node) {
	ast.Inspect(n, func(c ast.Node) bool {
		if c == nil || c == n {
			return c == n
		}
		w.visit(c)
		return false
	})
}

// leaves tells whether an if statement may leave the function for another reason than an error.
func leaves(i *ast.IfStmt) bool {
	if c, ok := i.Cond.(*ast.BinaryExpr); ok && c.Op == token.NEQ {
		if x, ok := c.Y.(*ast.Ident); ok && x.Name == "nil" {
			return false // err != nil
		}
	}
	found := false
	ast.Inspect(i.Body, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			found = true
		}
		return !found
	})
	return found
}

// leavesLoop tells whether the body of a loop may end it, or skip something.
func leavesLoop(body *ast.BlockStmt) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		switch n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BranchStmt, *ast.ReturnStmt:
			found = true
		}
		return !found
	})
	return found
}
