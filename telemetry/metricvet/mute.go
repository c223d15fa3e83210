package metricvet

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// muteWord begins a comment that mutes a definition on its line or on the next one. A reason must follow.
const muteWord = "//metricvet:ignore"

// mute finds the muting comments.
func (e *evaluator) mute(files []*ast.File) {
	for _, f := range files {
		for _, group := range f.Comments {
			for _, c := range group.List {
				reason, ok := strings.CutPrefix(c.Text, muteWord)
				if !ok {
					continue
				}
				if strings.TrimSpace(reason) == "" {
					e.pass.Reportf(c.Pos(), "%s needs a reason: write %s and why", muteWord, muteWord)
					continue
				}
				p := e.pass.Fset.Position(c.Pos())
				e.muted[lineOf{p.Filename, p.Line}] = true
				e.muted[lineOf{p.Filename, p.Line + 1}] = true
			}
		}
	}
}

type lineOf struct {
	file string
	line int
}

// mutedAt returns a text if a comment mutes the definition at pos, and otherwise a zero.
func (e *evaluator) mutedAt(pos token.Pos) value {
	p := e.pass.Fset.Position(pos)
	if e.muted[lineOf{p.Filename, p.Line}] {
		return literal("muted")
	}
	return value{Kind: zero}
}

// traps reports code that fails under promguard.
func (e *evaluator) traps(files []*ast.File) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			x, ok := n.(*ast.TypeAssertExpr)
			if !ok || x.Type == nil || !possible {
				return true
			}
			if _, asks := e.pass.TypesInfo.TypeOf(x).(*types.Tuple); asks { // v, ok := …
				return true
			}
			sel, ok := ast.Unparen(x.X).(*ast.SelectorExpr)
			if !ok {
				return true
			}
			obj := e.pass.TypesInfo.ObjectOf(sel.Sel)
			t, isPtr := e.pass.TypesInfo.TypeOf(x.Type).(*types.Pointer)
			if obj != nil && obj.Pkg() != nil && obj.Pkg().Path() == promPath && obj.Name() == "DefaultRegisterer" && isPtr &&
				types.TypeString(t.Elem(), nil) == promPath+".Registry" {
				e.pass.Reportf(x.Pos(), "prometheus.DefaultRegisterer is not a *prometheus.Registry if promguard or other code replaces it, "+
					"and this panics. Use the Registerer interface, or your own registry")
			}
			return true
		})
	}
}
