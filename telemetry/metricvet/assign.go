package metricvet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// This file collects what is assigned to variables and fields, and which of them other code may change.

// A setting is an assignment to a field after its struct was created.
type setting struct {
	to     ast.Expr
	pos    token.Pos
	always bool // unconditionally, if the function runs that far
}

// note records the assignments to variables and fields.
func (e *evaluator) note(n ast.Node, s *scope) {
	info := e.pass.TypesInfo
	always := map[ast.Node]bool{} // statements without a condition
	if body, ok := n.(*ast.BlockStmt); ok {
		for _, s := range body.List {
			always[s] = true
		}
	}
	assign := func(stmt ast.Node, to, from ast.Expr, declares bool) {
		switch to := ast.Unparen(to).(type) {
		case *ast.Ident:
			if obj := info.ObjectOf(to); obj != nil {
				e.assigned[obj] = append(e.assigned[obj], from)
				e.within[obj] = s
				if declares && info.Defs[to] == obj {
					e.declared[obj] = true
				}
			}
		case *ast.SelectorExpr:
			if v, ok := info.ObjectOf(to.Sel).(*types.Var); ok && isDefault(v) {
				e.replaced = true
			}
			x, ok := ast.Unparen(to.X).(*ast.Ident)
			if !ok {
				e.escape(to.X)
				return
			}
			if obj := info.ObjectOf(x); obj != nil {
				if e.fields[obj] == nil {
					e.fields[obj] = map[string][]setting{}
				}
				e.fields[obj][to.Sel.Name] = append(e.fields[obj][to.Sel.Name], setting{from, to.Pos(), always[stmt]})
				if _, ok := e.within[obj]; !ok {
					e.within[obj] = s
				}
			}
		default: // an element, or the target of a pointer
			e.escape(to)
		}
	}
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for i, to := range n.Lhs {
				var from ast.Expr
				if n.Tok == token.ASSIGN || n.Tok == token.DEFINE {
					if len(n.Lhs) == len(n.Rhs) {
						from = n.Rhs[i]
					} else if i == 0 && len(n.Rhs) == 1 {
						from = n.Rhs[0] // the first of several results
					}
				}
				assign(n, to, from, n.Tok == token.DEFINE)
			}
		case *ast.ValueSpec:
			for i, name := range n.Names {
				switch {
				case len(n.Values) == len(n.Names):
					assign(n, name, n.Values[i], true)
				case len(n.Values) == 1 && i == 0:
					assign(n, name, n.Values[0], true)
				case len(n.Values) > 0:
					assign(n, name, nil, true)
				default:
					e.zeroed[info.ObjectOf(name)] = true
				}
			}
		case *ast.RangeStmt:
			if x, ok := n.Value.(*ast.Ident); ok && n.Tok == token.DEFINE {
				obj := info.ObjectOf(x)
				e.ranged[obj], e.within[obj] = n.X, s
			} else if n.Value != nil {
				assign(n, n.Value, nil, false)
			}
			if n.Key != nil {
				assign(n, n.Key, nil, false)
			}
		case *ast.IncDecStmt:
			assign(n, n.X, nil, false)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				e.escape(n.X)
			}
		case *ast.CallExpr:
			e.noteCall(n)
		}
		return true
	})
}

// isDefault reports whether a variable is client_golang's default registry.
func isDefault(v *types.Var) bool {
	return v.Pkg() != nil && v.Pkg().Path() == promPath && v.Name() == "DefaultRegisterer"
}

// escape records that other code may change the variable that an expression is part of.
func (e *evaluator) escape(x ast.Expr) {
	for {
		switch y := ast.Unparen(x).(type) {
		case *ast.SelectorExpr:
			if v, ok := e.pass.TypesInfo.ObjectOf(y.Sel).(*types.Var); ok && isDefault(v) {
				e.replaced = true
			}
			x = y.X
		case *ast.IndexExpr:
			x = y.X
		case *ast.StarExpr:
			x = y.X
		case *ast.Ident:
			if obj := e.pass.TypesInfo.ObjectOf(y); obj != nil {
				e.escaped[obj] = true
			}
			return
		default:
			return
		}
	}
}

// noteCall records what a call may change: arguments that are pointers, maps or slices.
func (e *evaluator) noteCall(x *ast.CallExpr) {
	info := e.pass.TypesInfo
	fn := calledFunc(info, x)
	ours := fn != nil && fn.Pkg() != nil && ofLibrary(fn.Pkg().Path()) // these do not change their arguments
	if ours && fn.Name() == "Unregister" {
		e.removes = true
	}
	if b, ok := info.Uses[identOf(x.Fun)].(*types.Builtin); ours || ok && (b.Name() == "append" || b.Name() == "len" || b.Name() == "cap") {
		return
	}
	if sel, ok := ast.Unparen(x.Fun).(*ast.SelectorExpr); ok && fn != nil && fn.Signature().Recv() != nil {
		if _, ptr := fn.Signature().Recv().Type().(*types.Pointer); ptr {
			e.escape(sel.X)
		}
	}
	for _, a := range x.Args {
		if identOf(a) == nil || info.TypeOf(a) == nil {
			continue
		}
		switch info.TypeOf(a).Underlying().(type) {
		case *types.Pointer:
			e.lent[info.ObjectOf(identOf(a))] = true
		case *types.Map, *types.Slice:
			e.escape(a)
		}
	}
}

func identOf(x ast.Expr) *ast.Ident {
	id, _ := ast.Unparen(x).(*ast.Ident)
	return id
}
