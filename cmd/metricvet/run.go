package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const usage = `Usage: metricvet [flags] [packages]

Reports metrics of one name that one program registers twice, so that client_golang panics at start or every scrape
fails, and names in dashboards and rules that no code emits. The default packages are ./...

As a tool of go vet: go vet -vettool=$(which metricvet) ./...
To mute a metric, put a comment on its line or the one above: //metricvet:ignore reason

Exit status: 0 if nothing was found, 1 if something was found, 2 if the packages or files cannot be read.

Flags:
`

const (
	exitOK = iota
	exitFound
	exitFailed
)

// isVet reports whether go vet calls the program: with -V=full, -flags, or a .cfg file.
func isVet(args []string) bool {
	if len(args) == 0 {
		return false
	}
	last := args[len(args)-1]
	return strings.HasSuffix(last, ".cfg") || strings.HasPrefix(args[0], "-V") || args[0] == "-flags"
}

type options struct {
	possible, json bool
	tags           string
	dashboards     string
	rules          []string
	external       []*regexp.Regexp
	packages       []string
}

func parse(args []string, stdout io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("metricvet", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints errors
	flags.Usage = func() {}
	flags.BoolVar(&o.possible, "possible", false, "also report possible conflicts: on registries that may differ, under a condition, or with an unknown help text")
	flags.BoolVar(&o.json, "json", false, "print findings as JSON, in the form of go vet -json")
	flags.StringVar(&o.tags, "tags", "", "build `tags` for the packages, separated by commas")
	flags.StringVar(&o.dashboards, "dashboards", "", "report names in Grafana's dashboards below this `directory` that no code emits")
	flags.Func("rules", "report names in Prometheus's rule `files`, such as 'rules/*.yml', that no code emits; may be repeated", func(s string) error {
		o.rules = append(o.rules, s)
		return nil
	})
	flags.Func("external", "`pattern` of names that other programs emit, such as 'node_.*'; may be repeated", func(s string) error {
		re, err := regexp.Compile("^(?:" + s + ")$")
		o.external = append(o.external, re)
		return err
	})
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usage)
		flags.SetOutput(stdout)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (metricvet -help lists the flags)", err)
	}
	if o.packages = flags.Args(); len(o.packages) == 0 {
		o.packages = []string{"./..."}
	}
	return o, nil
}

// A finding is a diagnostic in the form of go vet.
type finding struct {
	Category string `json:"category,omitempty"`
	Posn     string `json:"posn"`
	End      string `json:"end,omitempty"`
	Message  string `json:"message"`
	Related  []struct {
		Posn    string `json:"posn"`
		End     string `json:"end,omitempty"`
		Message string `json:"message"`
	} `json:"related,omitempty"`
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	fail := func(err error) int {
		fmt.Fprintln(stderr, "metricvet:", err)
		return exitFailed
	}
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return fail(err)
	}
	byPackage, err := vet(ctx, o)
	if err != nil {
		return fail(err)
	}
	emitted := byPackage.take("emitted")
	found := byPackage.once()
	if o.dashboards != "" || len(o.rules) > 0 {
		dead, err := deadNames(o, emitted)
		if err != nil {
			return fail(err)
		}
		if len(dead) > 0 {
			found["dashboards and rules"] = dead
		}
	}
	if err := found.print(stdout, o.json); err != nil {
		return fail(err)
	}
	if len(found) > 0 {
		return exitFound
	}
	return exitOK
}

// vet runs go vet with this program as its tool: go vet loads the packages, and caches the facts of unchanged ones.
func vet(ctx context.Context, o options) (findings, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"vet", "-json", "-vettool=" + self, fmt.Sprintf("-metricvet.possible=%v", o.possible),
		fmt.Sprintf("-metricvet.emit=%v", o.dashboards != "" || len(o.rules) > 0)}
	if o.tags != "" {
		args = append(args, "-tags="+o.tags)
	}
	cmd := exec.CommandContext(ctx, "go", append(append(args, "--"), o.packages...)...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go vet: %w\n%s", err, strings.TrimSpace(errs.String()+out.String()))
	}
	all := findings{}
	for _, text := range []string{out.String(), errs.String()} { // which one has the JSON depends on the version of Go
		if err := all.read(objects(text)); err != nil {
			return nil, fmt.Errorf("go vet -json did not print JSON: %w", err)
		}
	}
	return all, nil
}

// findings are the findings of each package, by its import path.
type findings map[string][]finding

// objects returns only the indented JSON objects from the output of the go command, which also prints its own
// messages and compilers' warnings.
func objects(text string) string {
	var b strings.Builder
	within := false
	for line := range strings.Lines(text) {
		whole := strings.HasPrefix(line, "{}")
		if within = within || whole || strings.TrimRight(line, "\r\n") == "{"; within {
			b.WriteString(line)
		}
		if whole || line[0] == '}' {
			within = false
		}
	}
	return b.String()
}

// read adds the output of go vet: an object for each package.
func (f findings) read(text string) error {
	for dec := json.NewDecoder(strings.NewReader(text)); ; {
		var one map[string]map[string]json.RawMessage
		if err := dec.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		for pkg, analyzers := range one {
			var list []finding
			if err := json.Unmarshal(analyzers["metricvet"], &list); err != nil {
				return fmt.Errorf("%s: %s", pkg, analyzers["metricvet"])
			}
			f[pkg] = append(f[pkg], list...)
		}
	}
}

// take removes and returns the findings of a category.
func (f findings) take(category string) (out []finding) {
	for pkg, list := range f {
		for _, one := range list {
			if one.Category == category {
				out = append(out, one)
			}
		}
		if f[pkg] = slices.DeleteFunc(list, func(one finding) bool { return one.Category == category }); len(f[pkg]) == 0 {
			delete(f, pkg)
		}
	}
	return out
}

// once returns the findings without duplicates: a package and its test variant have the same ones, and so may several mains.
func (f findings) once() findings {
	out := findings{}
	seen := map[string]bool{}
	pkgs := make([]string, 0, len(f))
	for pkg := range f {
		pkgs = append(pkgs, pkg)
	}
	slices.Sort(pkgs)
	for _, pkg := range pkgs {
		for _, one := range f[pkg] {
			name, _, _ := strings.Cut(one.Message, ":")
			keys := []string{one.Posn + " " + name}
			if one.Category == "conflict" && !strings.Contains(one.Message, " here") { // both places are elsewhere: each main has it
				keys = append(keys, one.Message)
			}
			if slices.ContainsFunc(keys, func(k string) bool { return seen[k] }) {
				continue
			}
			for _, k := range keys {
				seen[k] = true
			}
			out[pkg] = append(out[pkg], one)
		}
	}
	return out
}

func (f findings) print(w io.Writer, asJSON bool) error {
	if asJSON {
		out := map[string]map[string][]finding{}
		for pkg, list := range f {
			out[pkg] = map[string][]finding{"metricvet": list}
		}
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "\t")
		return enc.Encode(out)
	}
	var lines []string
	for _, list := range f {
		for _, one := range list {
			lines = append(lines, relative(one.Posn)+": "+one.Message)
		}
	}
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// relative returns a position relative to the working directory, if that is shorter.
func relative(posn string) string {
	dir, err := os.Getwd()
	if err != nil {
		return posn
	}
	if rel, err := filepath.Rel(dir, posn); err == nil && len(rel) < len(posn) && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return posn
}
