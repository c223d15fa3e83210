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

// callSite returns the place in the code that asked for an instrument: the first frame outside OpenTelemetry, the
// standard library and this package, as "import/path/file.go:line". It is empty where an instrument reaches the
// SDK through Setup: then the code that asked is no longer on the stack.
func callSite() string { return siteFrom(true) }

// callerOfSetup returns the place in the code that called Setup.
func callerOfSetup() string { return siteFrom(false) }

func siteFrom(stopAtSetup bool) string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if stopAtSetup && f.Function == thisPackage+".Setup" {
			return ""
		}
		if pkg := packageOf(f.Function); f.File != "" && !plumbing(pkg, f.File) {
			return pkg + "/" + path.Base(f.File) + ":" + strconv.Itoa(f.Line)
		}
		if !more {
			return ""
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
