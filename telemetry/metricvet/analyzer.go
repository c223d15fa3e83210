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

// Analyzer reports metrics that conflict with each other; see the package's documentation. Its flag possible reports also what
// may conflict.
var Analyzer = &analysis.Analyzer{
	Name:      "metricvet",
	Doc:       "report metrics that conflict with each other\n\nTwo metrics of one name that a binary registers both, and that client_golang panics on or a scrape fails for.",
	URL:       "https://pkg.go.dev/github.com/onemeter/onemeter/telemetry/metricvet",
	Run:       run,
	FactTypes: []analysis.Fact{new(summary), new(varFact), new(packageFact)},
}

var (
	possible bool
	emit     bool
)

func init() {
	Analyzer.Flags.BoolVar(&possible, "possible", false, "report also what may conflict: other registries, conditions, names that are not fully known")
	Analyzer.Flags.BoolVar(&emit, "emit", false, "report also the name of every metric, for programs")
}

// interesting tells whether an import can bring metrics.
func interesting(importPath string) bool {
	return importPath == promPath || importPath == autoPath || importPath == otelPath || importPath == metricPath || importPath == libraryPath
}

// ofLibrary tells whether a package is of the libraries that metrics are made with. Their own are known.
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
		e.export() // what it makes names of
		return nil, nil
	}
	e.mute(files)
	own.Definitions, own.Names = e.definitions(files)
	own.Removes = e.removes
	own.Replaces = e.replaced && !strings.HasPrefix(pass.Pkg.Path(), libraryPath+"/") // promguard adds to it
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

// standard tells whether a package is of the standard library; go vet and golangci-lint know the modules of all others.
func standard(pass *analysis.Pass) bool {
	return pass.Module == nil || pass.Module.Path == "" || pass.Module.Path == "std"
}

// texts tells whether a package has a function that makes a text of texts, and so perhaps a name.
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

// export makes facts of what other packages can use.
func (e *evaluator) export() {
	for fn := range e.decls {
		if s := e.summaryOf(fn); s != nil && fn.Exported() && !s.empty() {
			e.pass.ExportObjectFact(fn, s)
		}
	}
	names := e.pass.Pkg.Scope()
	for _, name := range names.Names() {
		if v, ok := names.Lookup(name).(*types.Var); ok && v.Exported() {
			if val := e.object(v, nil, token.NoPos).shared(); val.Kind != unknown && !val.open() { // texts may be changed from elsewhere
				e.pass.ExportObjectFact(v, &varFact{val})
			}
		}
	}
}

// definitions are what the package registers when a program starts, and, not definite, what its functions register when
// they are called; and the names of all metrics that it makes.
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

// functions are those of the package, in the order of the code.
func (e *evaluator) functions() []*types.Func {
	out := make([]*types.Func, 0, len(e.decls))
	for fn := range e.decls {
		out = append(out, fn)
	}
	slices.SortFunc(out, func(a, b *types.Func) int { return cmp.Compare(a.Pos(), b.Pos()) })
	return out
}

// short leaves the column out.
func short(position string) string { return position[:strings.LastIndexByte(position, ':')] }
