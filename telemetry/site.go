package telemetry

import (
	"path"
	"reflect"
	"runtime"
	"strconv"
	"strings"
)

// thisPackage is the import path of this package.
var thisPackage = reflect.TypeFor[Provider]().PkgPath()

// A site is the way to the code that asked for an instrument, from the innermost frame outward: places such as
// "import/path/file.go:line", outside OpenTelemetry, this package and the standard library's plumbing.
type site []string

// maxSteps bounds how far out a helper's callers are looked for.
const maxSteps = 6

// String returns the innermost place, or "" where none is known.
func (s site) String() string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// callSite returns the way to the code that asked. It is empty where an instrument reaches the SDK through Setup:
// then the code that asked is no longer on the stack.
func callSite() site { return siteFrom(true) }

// callerOfSetup returns the way to the code that called Setup.
func callerOfSetup() site { return siteFrom(false) }

func siteFrom(stopAtSetup bool) site {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	var out site
	for {
		f, more := frames.Next()
		if stopAtSetup && f.Function == thisPackage+".Setup" {
			return nil
		}
		if pkg := packageOf(f.Function); f.File != "" && !plumbing(pkg, f.File) {
			out = append(out, pkg+"/"+path.Base(f.File)+":"+strconv.Itoa(f.Line))
		}
		if !more || len(out) == maxSteps {
			return out
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

// plumbing tells whether a frame only hands an instrument through.
func plumbing(pkg, file string) bool {
	if pkg == thisPackage || pkg == thisPackage+"/telemetrytest" {
		return !strings.HasSuffix(file, "_test.go")
	}
	return strings.HasPrefix(pkg, "go.opentelemetry.io/") || standardLibrary(pkg)
}

// standardLibrary is true for paths whose first element has no dot, "main" and commands aside.
func standardLibrary(pkg string) bool {
	switch first, _, _ := strings.Cut(pkg, "/"); first {
	case "sync", "runtime", "reflect", "testing", "slices", "iter":
		return true
	}
	return false
}
