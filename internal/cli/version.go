package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// The linker sets release and commit, because images and archives are built without version control:
// -X github.com/onemeter/onemeter/internal/cli.release=1.2.3
var release, commit string

// Version returns the release, or else the module's version, or else the commit of the
// build. Without any of these it returns "devel" or "unknown".
func Version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	if c := commitOf(info); c != "" {
		return c
	}
	return "devel"
}

// commitOf returns the commit of the build, or "" if it is unknown.
func commitOf(info *debug.BuildInfo) string {
	found, changed := commit, ""
	if info != nil && found == "" {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				found = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				changed = "+changes"
			}
		}
	}
	if found == "" {
		return ""
	}
	return found[:min(12, len(found))] + changed
}

// Line returns the text of --version: the program's name, its version, the commit and
// Go's version.
func Line(name string) string {
	info, _ := debug.ReadBuildInfo()
	from := "commit unknown"
	if c := commitOf(info); c != "" {
		from = "commit " + c
	}
	return fmt.Sprintf("%s %s (%s, %s %s/%s)", name, Version(), from, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
