package metricvet

import (
	"cmp"
	"go/ast"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer reports metrics that conflict with each other; see the package documentation. With its flag possible, it also
// reports possible conflicts. It passes on what packages define as facts, so it needs a driver that supports facts, such
// as unitchecker or multichecker.
var Analyzer = &analysis.Analyzer{
	Name:      "metricvet",
	Doc:       "report metrics that conflict with each other\n\nIt reports two metrics of one name that one program registers, so that client_golang panics at start or every scrape fails.",
	URL:       "https://pkg.go.dev/github.com/onemeter/onemeter/telemetry/metricvet",
	Run:       run,
	FactTypes: []analysis.Fact{new(summary), new(varFact), new(packageFact)},
}

var (
	possible bool
	emit     bool
)

func init() {
	Analyzer.Flags.BoolVar(&possible, "possible", false, "also report possible conflicts: on registries that may differ, under a condition, or with an unknown help text")
	Analyzer.Flags.BoolVar(&emit, "emit", false, "also report the name of every metric, for programs to read")
}

// interesting reports whether a package that imports this one may define metrics.
func interesting(importPath string) bool {
	return importPath == promPath || importPath == autoPath || importPath == otelPath || importPath == metricPath || importPath == libraryPath
}

// ofLibrary reports whether a package belongs to a library that metrics are created with. The metrics of these libraries
// are known, so they are not analyzed.
func ofLibrary(importPath string) bool {
	for _, p := range []string{promPath, otelPath + "/sdk", otelPath + "/exporters", otelPath + "/internal", metricPath} {
		if importPath == p || strings.HasPrefix(importPath, p+"/") {
			return true
		}
	}
	return importPath == otelPath
}

func run(pass *analysis.Pass) (any, error) {
	if ofLibrary(pass.Pkg.Path()) {
		return nil, nil
	}
	own, all := &record{}, packages{}
	relevant := false
	for _, imp := range pass.Pkg.Imports() {
		relevant = relevant || interesting(imp.Path())
		own.Exports = own.Exports || imp.Path() == exporterPath
		var below packageFact
		if pass.ImportPackageFact(imp, &below) {
			own.Imports = append(own.Imports, imp.Path())
			maps.Copy(all, below.Linked)
		}
	}
	relevant = relevant || len(own.Imports) > 0
	if !relevant && (standard(pass) || !texts(pass.Pkg)) {
		return nil, nil
	}
	var files []*ast.File
	for _, f := range pass.Files {
		if !strings.HasSuffix(pass.Fset.File(f.FileStart).Name(), "_test.go") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	e := newEvaluator(pass, files)
	if !relevant {
		e.export() // it exports functions that build names
		return nil, nil
	}
	e.mute(files)
	own.Definitions, own.Names = e.definitions(files)
	own.Removes = e.removes
	own.Replaces = e.replaced && !strings.HasPrefix(pass.Pkg.Path(), libraryPath+"/") // promguard only adds to it
	all[pass.Pkg.Path()] = own
	pass.ExportPackageFact(&packageFact{all})
	e.export()
	c := newComparison(e, all, files)
	c.report()
	e.traps(files)
	if emit {
		c.emit()
	}
	return nil, nil
}

// standard reports whether a package belongs to the standard library: for all others, go vet and golangci-lint give the
// module.
func standard(pass *analysis.Pass) bool {
	return pass.Module == nil || pass.Module.Path == "" || pass.Module.Path == "std"
}

// texts reports whether a package has a function that returns a string made from strings, which may be a name.
func texts(pkg *types.Package) bool {
	isString := func(v *types.Var) bool { return isText(v.Type()) }
	for _, name := range pkg.Scope().Names() {
		if fn, ok := pkg.Scope().Lookup(name).(*types.Func); ok && fn.Exported() {
			params, results := fn.Signature().Params(), fn.Signature().Results()
			if results.Len() == 1 && isString(results.At(0)) && params.Len() > 0 && isString(params.At(0)) {
				return true
			}
		}
	}
	return false
}

// export exports facts about everything that other packages can use.
func (e *evaluator) export() {
	for fn := range e.decls {
		if s := e.summaryOf(fn); s != nil && fn.Exported() && !s.empty() {
			e.pass.ExportObjectFact(fn, s)
		}
	}
	names := e.pass.Pkg.Scope()
	for _, name := range names.Names() {
		if v, ok := names.Lookup(name).(*types.Var); ok && v.Exported() {
			if val := e.object(v, nil, token.NoPos).shared(); val.Kind != unknown && !val.open() { // other code may change strings
				e.pass.ExportObjectFact(v, &varFact{val})
			}
		}
	}
}

// definitions returns what the package registers at program start, and, as not definite, what its functions register
// when called. It also returns the names of all metrics that it creates.
func (e *evaluator) definitions(files []*ast.File) ([]definition, []string) {
	var start summary
	w := walker{e: e, out: &start}
	isMain := e.pass.Pkg.Name() == "main"
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				if d.Tok == token.VAR {
					w.visit(d)
				}
			case *ast.FuncDecl:
				if d.Recv == nil && (d.Name.Name == "init" || d.Name.Name == "main" && isMain) {
					if s := e.summaryOf(e.pass.TypesInfo.Defs[d.Name].(*types.Func)); s != nil {
						start.Effects = append(start.Effects, s.Effects...)
						start.Makes = append(start.Makes, s.Makes...)
					}
				}
			}
		}
	}
	var out []definition
	seen := map[string]bool{}
	for _, f := range start.Effects {
		if d, ok := defined(f, true); ok {
			d.Definite = d.Definite && !e.removes
			seen[d.Site] = true
			out = append(out, d)
		}
	}
	makes := start.Makes
	for _, fn := range e.functions() {
		s := e.summaryOf(fn)
		if s == nil {
			continue
		}
		makes = append(makes, s.Makes...)
		for _, f := range s.Effects {
			if d, ok := defined(f, false); ok && !seen[d.Site] {
				seen[d.Site] = true
				out = append(out, d)
			}
		}
	}
	return out, namesOf(makes)
}

// functions returns the functions of the package, in source order.
func (e *evaluator) functions() []*types.Func {
	out := make([]*types.Func, 0, len(e.decls))
	for fn := range e.decls {
		out = append(out, fn)
	}
	slices.SortFunc(out, func(a, b *types.Func) int { return cmp.Compare(a.Pos(), b.Pos()) })
	return out
}

// short returns a position without its column.
func short(position string) string { return position[:strings.LastIndexByte(position, ':')] }
