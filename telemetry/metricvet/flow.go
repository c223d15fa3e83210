package metricvet

import (
	"go/ast"
	"go/token"
	"go/types"
)

// This file finds what does not always happen: code after a return, an exit or a jump.

// recovers reports whether a function recovers from panics.
func recovers(body *ast.BlockStmt) (found bool) {
	ast.Inspect(body, func(n ast.Node) bool {
		if x, ok := n.(*ast.CallExpr); ok {
			if id := identOf(x.Fun); id != nil && id.Name == "recover" {
				found = true
			}
		}
		return !found
	})
	return found
}

// ends reports whether no statement after s runs.
func (e *evaluator) ends(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		return true
	case *ast.BlockStmt:
		return len(s.List) > 0 && e.ends(s.List[len(s.List)-1])
	}
	return e.exits(s)
}

// exits reports whether a statement is a call that never returns.
func (e *evaluator) exits(s ast.Stmt) bool {
	x, ok := s.(*ast.ExprStmt)
	if !ok {
		return false
	}
	call, ok := ast.Unparen(x.X).(*ast.CallExpr)
	if !ok {
		return false
	}
	if id := identOf(call.Fun); id != nil && id.Name == "panic" {
		return true
	}
	fn := calledFunc(e.pass.TypesInfo, call)
	if fn == nil {
		return false
	}
	switch fn.FullName() {
	case "os.Exit", "runtime.Goexit", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf", "log.Panicln":
		return true
	}
	sum := e.summaryOf(fn)
	return sum != nil && sum.Exits
}

// leaves reports whether a statement may return or jump, except because of an error.
func (e *evaluator) leaves(s ast.Stmt) bool {
	if i, ok := s.(*ast.IfStmt); ok && i.Else == nil {
		if c, ok := i.Cond.(*ast.BinaryExpr); ok && c.Op == token.NEQ {
			t := e.pass.TypesInfo.TypeOf(c.X)
			if t != nil && types.Identical(t, types.Universe.Lookup("error").Type()) && !silently(i.Body) {
				return false // err != nil
			}
		}
	}
	switch s.(type) {
	case *ast.ReturnStmt, *ast.ExprStmt, *ast.AssignStmt, *ast.DeclStmt, *ast.DeferStmt, *ast.GoStmt:
		return false
	}
	return e.jumps(s, func(b *ast.BranchStmt) bool { return b.Label != nil || b.Tok == token.GOTO })
}

// silently reports whether a block returns nothing, so that the caller does not learn of an error.
func silently(b *ast.BlockStmt) bool {
	if len(b.List) == 0 {
		return true
	}
	r, ok := b.List[len(b.List)-1].(*ast.ReturnStmt)
	return ok && len(r.Results) == 0
}

// leavesLoop reports whether the body of a loop may end it or skip something.
func (e *evaluator) leavesLoop(body *ast.BlockStmt) bool {
	return e.jumps(body, func(*ast.BranchStmt) bool { return true })
}

// jumps reports whether a statement contains a return, a call that never returns, or such a branch.
func (e *evaluator) jumps(s ast.Stmt, branch func(*ast.BranchStmt) bool) (found bool) {
	ast.Inspect(s, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			found = true
		case *ast.BranchStmt:
			found = found || branch(n)
		case *ast.ExprStmt:
			found = found || e.exits(n)
		}
		return !found
	})
	return found
}
