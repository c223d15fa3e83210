package metricvet

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// This file walks loops: a metric created in a loop is registered in each round.

// A turn is one round of a loop.
type turn struct {
	loop     ast.Node
	variable types.Object // holds item, if that is known
	item     value
	number   int
}

// Bounds within which loops are walked round by round. For a longer list, and in deeper loops, the variable stands for all
// elements at once.
const (
	maxTurns = 64
	maxDepth = 3
)

// often says how many rounds a loop has.
type often int

const (
	unsure often = iota // perhaps none, perhaps several
	once
	again // at least twice
)

// loop walks the body of a loop: for a known list in a round for each element, otherwise in two rounds, which are enough to
// see whether something is created again.
func (w *walker) loop(n ast.Node, body *ast.BlockStmt, over value, count often) {
	visit := func(t turn) {
		w.e.turns = append(w.e.turns, t)
		if count == unsure || w.e.leavesLoop(body) {
			w.under(body)
		} else {
			w.visit(body)
		}
		w.e.turns = w.e.turns[:len(w.e.turns)-1]
	}
	if len(w.e.turns) >= maxDepth || count == once || over.Kind == list && len(over.Items) > maxTurns {
		visit(turn{loop: n})
		return
	}
	variable := w.e.variable(n)
	if over.Kind == list && variable != nil {
		for i, item := range over.Items {
			visit(turn{n, variable, item, i})
		}
		return
	}
	visit(turn{loop: n})
	visit(turn{loop: n, number: 1})
}

// rounds returns how many rounds a range statement has.
func (e *evaluator) rounds(n *ast.RangeStmt, over value) often {
	count := -1
	switch over.Kind {
	case list:
		count = len(over.Items)
	case object:
		if !over.Partly {
			count = len(over.Fields)
		}
	case param: // the caller's list
		return once
	}
	if v := e.pass.TypesInfo.Types[n.X].Value; v != nil && v.Kind() == constant.Int {
		if i, exact := constant.Int64Val(v); exact {
			count = int(min(i, maxTurns))
		}
	}
	return oftenOf(count)
}

func oftenOf(count int) often {
	switch {
	case count <= 0:
		return unsure
	case count == 1:
		return once
	}
	return again
}

// counted returns how many rounds "for i := a; i < b; i++" has, for constants.
func (e *evaluator) counted(n *ast.ForStmt) often {
	start, ok := n.Init.(*ast.AssignStmt)
	cond, isCond := n.Cond.(*ast.BinaryExpr)
	post, isPost := n.Post.(*ast.IncDecStmt)
	if !ok || !isCond || !isPost || len(start.Lhs) != 1 || len(start.Rhs) != 1 || post.Tok != token.INC {
		return unsure
	}
	obj := e.pass.TypesInfo.ObjectOf(identOf(start.Lhs[0]))
	same := func(x ast.Expr) bool { id := identOf(x); return id != nil && e.pass.TypesInfo.ObjectOf(id) == obj }
	from, to := e.pass.TypesInfo.Types[start.Rhs[0]].Value, e.pass.TypesInfo.Types[cond.Y].Value
	if obj == nil || !same(cond.X) || !same(post.X) || from == nil || to == nil || len(e.assigned[obj]) != 2 || e.escaped[obj] {
		return unsure
	}
	count := constant.BinaryOp(to, token.SUB, from)
	switch cond.Op {
	case token.LSS:
	case token.LEQ:
		count = constant.BinaryOp(count, token.ADD, constant.MakeInt64(1))
	default:
		return unsure
	}
	if i, exact := constant.Int64Val(constant.ToInt(count)); exact {
		return oftenOf(int(min(i, maxTurns)))
	}
	return unsure
}

// variable returns the variable that holds the elements of a loop, if nothing else assigns it.
func (e *evaluator) variable(n ast.Node) types.Object {
	if n, ok := n.(*ast.RangeStmt); ok && identOf(n.Value) != nil {
		if obj := e.pass.TypesInfo.ObjectOf(identOf(n.Value)); e.ranged[obj] != nil {
			return obj
		}
	}
	return nil
}

// item returns the value of a loop's variable in the current round.
func (e *evaluator) item(obj types.Object) (value, bool) {
	for _, t := range e.turns {
		if t.variable == obj {
			return t.item, true
		}
	}
	return value{}, false
}

// turn identifies the current rounds of the loops around a place, or of all loops if the place is not valid.
func (e *evaluator) turn(pos token.Pos) string {
	var b strings.Builder
	for _, t := range e.turns {
		if !pos.IsValid() || t.loop.Pos() <= pos && pos < t.loop.End() {
			b.WriteString("#" + strconv.Itoa(t.number))
		}
	}
	return b.String()
}

// each splits a metric that a function creates for each element of a parameter: it yields the arguments for each
// element that the caller passes.
func each(m value, args func(int) value) iter.Seq2[string, func(int) value] {
	return func(yield func(string, func(int) value) bool) {
		over, ok := m.elementOf()
		items := value{}
		if ok {
			items = args(over)
		}
		if items.Kind != list || len(items.Items) > maxTurns {
			yield("", args)
			return
		}
		for number, item := range items.Items {
			if !yield("#"+strconv.Itoa(number), func(i int) value {
				if i == over {
					return value{Kind: object, Fields: fields{element: item}}
				}
				return args(i)
			}) {
				return
			}
		}
	}
}

// elementOf returns the parameter on whose elements a value depends.
func (v value) elementOf() (over int, ok bool) {
	if v.Kind == param && len(v.Path) > 0 && v.Path[0] == element {
		return v.Param, true
	}
	for _, p := range v.Parts {
		if p.Of != nil {
			if over, ok := p.Of.elementOf(); ok {
				return over, true
			}
		}
	}
	for _, item := range v.Items {
		if over, ok := item.elementOf(); ok {
			return over, true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.Fields)) {
		if over, ok := v.Fields[name].elementOf(); ok {
			return over, true
		}
	}
	return 0, false
}
