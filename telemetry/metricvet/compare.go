package metricvet

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// A comparison compares the registrations of a package and of everything it imports.
type comparison struct {
	e     *evaluator
	pkg   string
	files []*ast.File
	facts packages
	reach map[string]map[string]bool // the packages that each import links

	replaced, removed, exported bool // whether any package replaces the default registry, unregisters, or imports the exporter
}

// A claim is a definition and the package that has it.
type claim struct {
	definition
	pkg string
}

func newComparison(e *evaluator, all packages, files []*ast.File) *comparison {
	c := &comparison{e: e, pkg: e.pass.Pkg.Path(), files: files, facts: all, reach: map[string]map[string]bool{}}
	for _, imp := range all[c.pkg].Imports {
		c.reach[imp] = map[string]bool{}
		c.link(imp, c.reach[imp])
	}
	return c
}

func (c *comparison) link(pkg string, into map[string]bool) {
	if into[pkg] {
		return
	}
	into[pkg] = true
	if f := c.facts[pkg]; f != nil {
		for _, imp := range f.Imports {
			c.link(imp, into)
		}
	}
}

// report reports each conflicting pair, in the first package that sees both.
func (c *comparison) report() {
	byName := map[string][]claim{}
	add := func(pkg string, ds []definition) {
		for _, d := range ds {
			byName[d.Name] = append(byName[d.Name], claim{d, pkg})
		}
	}
	visible := []string{c.pkg}
	for pkg := range c.facts {
		if pkg != c.pkg && slices.ContainsFunc(c.facts[c.pkg].Imports, func(imp string) bool { return c.reach[imp][pkg] }) {
			visible = append(visible, pkg)
		}
	}
	slices.Sort(visible)
	for _, pkg := range visible {
		f := c.facts[pkg]
		c.replaced, c.removed, c.exported = c.replaced || f.Replaces, c.removed || f.Removes, c.exported || f.Exports
	}
	add(promPath, standardDefinitions)
	for _, pkg := range visible {
		if pkg != c.pkg {
			add(pkg, c.facts[pkg].Definitions)
		}
	}
	add(c.pkg, c.facts[c.pkg].Definitions)
	var names []string
	for name, claims := range byName {
		if len(claims) > 1 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		c.name(byName[name])
	}
}

// name compares the claims to one name. It reports each with the first that it conflicts with.
func (c *comparison) name(claims []claim) {
	slices.SortStableFunc(claims, func(a, b claim) int {
		return cmp.Or(-cmp.Compare(boolean(a.Definite), boolean(b.Definite)))
	})
	told := map[string]bool{}
	for i, b := range claims {
		for _, a := range claims[:i] {
			if !c.first(a.pkg, b.pkg) || a.Source != b.Source && !c.exported { // without the exporter, the two libraries share no page
				continue
			}
			v, ok := judged(a.definition, b.definition)
			switch {
			case !v.definite:
			case a.Source == clientGolang && (c.replaced || c.removed && a.pkg == promPath):
				v.definite, v.follows = false, "the program panics if both are registered on one registry"
			case a.Source == openTelemetry && !c.exported:
				v.definite = false
			}
			if !ok || !v.definite && !possible {
				continue
			}
			key := a.Site + " " + b.Site
			if told[key] || a.again(b.definition) && a.Turn == b.Turn || a.Site == b.Site && (c.within(a, b) || c.within(b, a)) {
				continue
			}
			told[key] = true
			c.tell(a, b, v)
			break
		}
	}
}

// within reports whether inner may be a part of outer, because outer's package calls the function that makes inner. Then
// both are one registration.
func (c *comparison) within(inner, outer claim) bool {
	if inner.Start {
		return false
	}
	linked := map[string]bool{}
	c.link(outer.pkg, linked)
	return linked[inner.pkg] && (outer.Start || inner.pkg != outer.pkg)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// first reports whether the checked package is the first one that links both packages, and so reports their conflicts.
func (c *comparison) first(a, b string) bool {
	if a == c.pkg || b == c.pkg {
		return true
	}
	if a == b || a == promPath || b == promPath {
		return false
	}
	for _, linked := range c.reach {
		if linked[a] && linked[b] {
			return c.e.pass.Pkg.Name() == "main" && !c.toldBelow(a, b)
		}
	}
	return true
}

// toldBelow reports whether another package of this module links both packages. It is checked too, and reports their
// conflicts. Dependencies are not checked.
func (c *comparison) toldBelow(a, b string) bool {
	module := ""
	if c.e.pass.Module != nil {
		module = c.e.pass.Module.Path
	}
	for pkg := range c.facts {
		if pkg == c.pkg || pkg != module && !strings.HasPrefix(pkg, module+"/") {
			continue
		}
		linked := map[string]bool{}
		if c.link(pkg, linked); linked[a] && linked[b] {
			return true
		}
	}
	return false
}

func (c *comparison) tell(a, b claim, v verdict) {
	placeA, placeB := a.Site, b.Site
	if placeA == placeB { // one place in the code, which runs twice
		placeA, placeB = a.Via, b.Via
	}
	pos, here := c.pos(b, placeB)
	if a.pkg == c.pkg && b.pkg != c.pkg {
		pos, here = c.pos(a, placeA)
	}
	at := func(place string) string {
		if place == here {
			return "here"
		}
		return "at " + short(place)
	}
	message := fmt.Sprintf("%s: %s; %s. %s", b.Name, v.what(at(placeA), at(placeB)), c.follows(a, b, v), c.cure(a, b))
	var related []analysis.RelatedInformation
	for _, place := range []string{placeA, placeB} {
		if p := c.e.places[place]; p.IsValid() {
			related = append(related, analysis.RelatedInformation{Pos: p, Message: b.Name})
		}
	}
	c.e.pass.Report(analysis.Diagnostic{Pos: pos, Category: "conflict", Message: message, Related: related})
}

// pos returns where to report a claim, and its place.
func (c *comparison) pos(b claim, place string) (token.Pos, string) {
	if p, ok := c.e.places[place]; ok {
		return p, place
	}
	if p, ok := c.e.places[b.Via]; ok {
		return p, ""
	}
	for _, f := range c.files { // the import that brings it
		for _, imp := range f.Imports {
			path, err := strconv.Unquote(imp.Path.Value)
			if err == nil && c.reach[path][b.pkg] {
				return imp.Pos(), ""
			}
		}
	}
	return c.files[0].Package, ""
}

// guarded reports whether the binary imports promguard.
func (c *comparison) guarded() bool {
	return slices.ContainsFunc(c.facts[c.pkg].Imports, func(imp string) bool { return imp == guardPath || c.reach[imp][guardPath] })
}

func (c *comparison) follows(a, b claim, v verdict) string {
	if !c.guarded() || a.Source != clientGolang || b.Source != clientGolang {
		return v.follows
	}
	if early(a) && early(b) {
		return "both are registered before promguard is installed, and the program panics at start"
	}
	return "promguard keeps the program from a panic, and the first help is shown"
}

// early reports whether a package may register before promguard is installed, because its import path sorts first.
func early(c claim) bool {
	return !c.Auto && c.pkg < "github.com/onemeter" && c.Registry == defaultRegistry
}

func (c *comparison) cure(a, b claim) string {
	switch {
	case c.guarded() && early(a) && early(b) && a.Site != b.Site:
		return fmt.Sprintf("Import _ %q in one of the two packages", guardPath)
	case a.pkg == promPath:
		return "Leave it out: the default registry has it"
	case a.Site == b.Site:
		return "Make it once, and share it"
	case a.Source == openTelemetry || c.guarded():
		return "Define it once, or give one of them another name"
	}
	return fmt.Sprintf("Define it once, or import _ %q in main", guardPath)
}

// standardDefinitions are registered by client_golang itself.
var standardDefinitions = func() []definition {
	var out []definition
	for name, help := range map[string]string{
		"go_info": "Information about the Go environment.", "process_start_time_seconds": "Start time of the process since unix epoch in seconds.",
	} {
		out = append(out, definition{
			Name: name, Source: clientGolang, Type: "gauge", Help: &help, Known: true, Registry: defaultRegistry, Definite: true,
			Site: promPath + "/registry.go:0", Via: promPath + "/registry.go:0",
		})
	}
	return out
}()

// namesOf returns the names of metrics with their types, with * for unknown parts.
func namesOf(makes []value) (out []string) {
	for _, m := range makes {
		d, ok := defined(effect{Metric: m, To: registry(defaultRegistry)}, false)
		if !ok {
			d.Name, d.Type = m.Fields["name"].pattern(), m.Fields["type"].pattern()
		}
		if strings.Trim(d.Name, "*_:") != "" {
			out = append(out, d.Name+" "+d.Type)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// emit reports the names of all metrics that the package creates, and for a program also of those it links.
func (c *comparison) emit() {
	all := slices.Clone(c.facts[c.pkg].Names)
	if c.e.pass.Pkg.Name() == "main" {
		for _, linked := range c.reach {
			for pkg := range linked {
				if f := c.facts[pkg]; f != nil {
					all = append(all, f.Names...)
				}
			}
		}
	}
	slices.Sort(all)
	for _, name := range slices.Compact(all) {
		c.e.pass.Report(analysis.Diagnostic{Pos: c.files[0].Package, Category: "emitted", Message: name})
	}
}
