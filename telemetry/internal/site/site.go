// Package site finds the place in the code that requested a metric: the first caller outside this library,
// OpenTelemetry and client_golang. It imports only the standard library, because package guard must be initialized
// early.
package site

import (
	"path"
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

// library is the import path of package telemetry. All packages below it belong to this library.
var library = strings.TrimSuffix(reflect.TypeFor[Stack]().PkgPath(), "/internal/site")

const (
	maxFrames = 64 // frames of a stack to look at
	maxSteps  = 6  // places of a path, which bounds how far out a helper's caller may be
)

// A Stack is a call stack that is not resolved yet. It is cheap to record.
type Stack []uintptr

// Here returns the stack of its caller, without the innermost skip callers.
func Here(skip int) Stack {
	var pcs [maxFrames]uintptr
	return append(Stack(nil), pcs[:runtime.Callers(skip+2, pcs[:])]...)
}

// A Path is the call path to the requesting code, from the innermost frame outward. Each step is a place such as
// "import/path/file.go:line".
type Path []string

// String returns the innermost place, or "" if none is known.
func (p Path) String() string {
	if len(p) == 0 {
		return ""
	}
	return p[0]
}

// Path resolves the stack.
func (s Stack) Path() Path {
	var out Path
	s.each(func(f runtime.Frame) bool {
		if pkg := packageOf(f.Function); f.File != "" && !plumbing(pkg, f.File) {
			out = append(out, pkg+"/"+path.Base(f.File)+":"+strconv.Itoa(f.Line))
		}
		return len(out) < maxSteps
	})
	return out
}

// Through reports whether the stack, from the innermost frame outward, has a function before any code that requests
// metrics. function is its full name, as in runtime.Frame.
func (s Stack) Through(function string) (found bool) {
	s.each(func(f runtime.Frame) bool {
		found = f.Function == function
		return !found && (f.File == "" || plumbing(packageOf(f.Function), f.File))
	})
	return found
}

// Has reports whether a function is anywhere on the stack.
func (s Stack) Has(function string) (found bool) {
	s.each(func(f runtime.Frame) bool {
		found = f.Function == function
		return !found
	})
	return found
}

func (s Stack) each(visit func(runtime.Frame) bool) {
	if len(s) == 0 {
		return
	}
	frames := runtime.CallersFrames(s)
	for {
		f, more := frames.Next()
		if !visit(f) || !more {
			return
		}
	}
}

// packageOf returns the import path in a function's name, such as "github.com/acme/pay.(*T).Do".
func packageOf(function string) string {
	slash := strings.LastIndexByte(function, '/')
	dot := strings.IndexByte(function[slash+1:], '.')
	if dot < 0 {
		return function
	}
	return strings.ReplaceAll(function[:slash+1+dot], "%2e", ".")
}

// plumbing reports whether a frame only passes on a request for a metric: it is of a library that metrics are created with.
func plumbing(pkg, file string) bool {
	if below(pkg, library) || below(pkg, "github.com/prometheus/client_golang") {
		return !strings.HasSuffix(file, "_test.go")
	}
	return strings.HasPrefix(pkg, "go.opentelemetry.io/") || standardLibrary(pkg)
}

func below(pkg, root string) bool {
	rest, ok := strings.CutPrefix(pkg, root)
	return ok && (rest == "" || rest[0] == '/')
}

// standardLibrary is true for the packages of the standard library that call functions of others.
func standardLibrary(pkg string) bool {
	switch first, _, _ := strings.Cut(pkg, "/"); first {
	case "sync", "runtime", "reflect", "testing", "slices", "iter":
		return true
	}
	return false
}
