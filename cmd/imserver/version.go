package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// The linker sets release and commit, because images and archives are built without version control.
var release, commit string

// buildVersion returns the release, the module's version, or the commit of the build.
func buildVersion() string {
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
	if c := buildCommit(); c != "" {
		return c
	}
	return "devel"
}

// buildCommit returns the commit of the build, or "" if it is unknown.
func buildCommit() string {
	found, changed := commit, ""
	if info, ok := debug.ReadBuildInfo(); ok && found == "" {
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

// versionLine returns the text of --version.
func versionLine() string {
	from := "commit " + buildCommit()
	if buildCommit() == "" {
		from = "commit unknown"
	}
	return fmt.Sprintf("imserver %s (%s, %s %s/%s)", buildVersion(), from, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
