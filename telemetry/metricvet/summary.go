package metricvet

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"

	"golang.org/x/tools/go/analysis"
)

// An effect is the registration of a metric, or the creation of an instrument, when a function is called.
type effect struct {
	Metric value
	To     value  // a registerer, or a meter
	Must   bool   // whether the program panics if it fails
	Maybe  bool   // whether it depends on a condition
	Via    string // the place of the call
	Turn   string // the rounds of the loops around it
}

// A summary is what callers need to know of a function.
type summary struct {
	Effects []effect
	Makes   []value // metrics that it creates, registered or not
	Returns []value
	Sends   []value // descriptors sent by a method Describe
	Partly  bool    // whether Sends may be incomplete
	Exits   bool    // whether it never returns
}

// AFact marks it as a fact about the function.
func (*summary) AFact() {}

func (s *summary) empty() bool {
	useful := func(v value) bool { return v.Kind != unknown && v.Kind != zero }
	return !s.Exits && len(s.Effects) == 0 && len(s.Makes) == 0 && len(s.Sends) == 0 && !slices.ContainsFunc(s.Returns, useful)
}

// A varFact is the value of a package variable.
type varFact struct{ Value value }

// AFact marks it as a fact about the variable.
func (*varFact) AFact() {}

// A scope is the function that contains an expression; nil is the package level.
type scope struct {
	params map[types.Object]int
}

// An evaluator knows the values of a package's expressions.
type evaluator struct {
	pass      *analysis.Pass
	assigned  map[types.Object][]ast.Expr // what is assigned; nil if that is no single expression, as with += and ++
	declared  map[types.Object]bool       // declared with a value
	zeroed    map[types.Object]bool       // declared without a value
	escaped   map[types.Object]bool       // other code may change them
	lent      map[types.Object]bool       // pointers that other code has too, so that it may change their targets
	fields    map[types.Object]map[string][]setting
	ranged    map[types.Object]ast.Expr // what a loop's variable ranges over
	turns     []turn                    // current rounds of the loops
	within    map[types.Object]*scope   // scopes of local variables
	decls     map[*types.Func]*ast.FuncDecl
	scopes    map[*types.Func]*scope
	summaries map[*types.Func]*summary
	busy      map[any]bool
	places    map[string]token.Pos // places in this package, by their text
	muted     map[lineOf]bool
	replaced  bool // whether prometheus.DefaultRegisterer is assigned
	removes   bool // whether something is unregistered
}

func newEvaluator(pass *analysis.Pass, files []*ast.File) *evaluator {
	e := &evaluator{
		pass: pass, assigned: map[types.Object][]ast.Expr{}, fields: map[types.Object]map[string][]setting{},
		declared: map[types.Object]bool{}, zeroed: map[types.Object]bool{}, escaped: map[types.Object]bool{}, lent: map[types.Object]bool{}, within: map[types.Object]*scope{}, ranged: map[types.Object]ast.Expr{}, decls: map[*types.Func]*ast.FuncDecl{},
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

func isStruct(t types.Type) bool {
	_, ok := t.Underlying().(*types.Struct)
	return ok
}

// position returns a place in the code, as import/path/file.go:line:column.
func (e *evaluator) position(pos token.Pos) string {
	p := e.pass.Fset.PositionFor(pos, false)
	text := fmt.Sprintf("%s/%s:%d:%d", e.pass.Pkg.Path(), filepath.Base(p.Filename), p.Line, p.Column)
	e.places[text] = pos
	return text
}

// summaryOf returns the summary of a function, of this package or another, or nil.
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
	around := e.turns
	e.turns = nil
	defer func() {
		delete(e.busy, fn)
		e.turns = around
	}()
	sc := e.scopes[fn]
	s := &summary{Returns: e.results(d, sc)}
	w := walker{e: e, scope: sc, out: s, maybe: recovers(d.Body)}
	w.visit(d.Body)
	s.Effects = s.Effects[:min(len(s.Effects), maxEffects)]
	s.Makes = s.Makes[:min(len(s.Makes), maxEffects)]
	e.summaries[fn] = s
	return s
}

// results returns the values that a function returns on success, if there is one such return statement.
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
			if n := len(vs); n > 1 && vs[0].Kind == zero && vs[n-1].Kind != zero { // nil, err
				return true
			}
			found++
			out = vs
		}
		return true
	})
	if found != 1 {
		return nil
	}
	return out
}

// A walker collects the effects of a function's statements.
type walker struct {
	e     *evaluator
	scope *scope
	maybe bool
	out   *summary
}

// visit walks n. If w.maybe is true, everything in it is conditional.
func (w *walker) visit(n ast.Node) {
	if n == nil {
		return
	}
	switch n := n.(type) {
	case *ast.BlockStmt:
		before := w.maybe
		for _, s := range n.List {
			w.visit(s)
			if w.e.ends(s) {
				w.out.Exits = w.out.Exits || !w.maybe && w.e.exits(s)
				break // the rest is unreachable
			}
			if w.e.leaves(s) {
				w.maybe = true // the rest does not always run
			}
		}
		w.maybe = before
	case *ast.IfStmt:
		w.visitAll(n.Init, n.Cond)
		w.under(n.Body, n.Else)
	case *ast.ForStmt:
		w.visitAll(n.Init, n.Cond)
		w.loop(n, n.Body, value{}, w.e.counted(n))
		w.under(n.Post)
	case *ast.RangeStmt:
		w.visit(n.X)
		over := w.e.eval(n.X, w.scope)
		w.loop(n, n.Body, over, w.e.rounds(n, over))
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
	case *ast.FuncLit: // it may be called any number of times
		w.under(n.Body)
	case *ast.SendStmt:
		w.visitAll(n.Chan, n.Value)
		w.out.Sends = append(w.out.Sends, w.e.eval(n.Value, w.scope))
		w.out.Partly = w.out.Partly || w.maybe
	case *ast.CallExpr:
		if lit, ok := ast.Unparen(n.Fun).(*ast.FuncLit); ok { // called immediately
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

// children visits the direct children of n.
func (w *walker) children(n ast.Node) {
	ast.Inspect(n, func(c ast.Node) bool {
		if c == nil || c == n {
			return c == n
		}
		w.visit(c)
		return false
	})
}

// maxEffects bounds a summary.
const maxEffects = 1000
