package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"

	"github.com/google/go-cmp/cmp"
)

// TestSystemdUnitStarts what there is: its flags and its file are taken, and it
// waits longer for the end than the server takes.
func TestSystemdUnitStarts(t *testing.T) {
	text, err := os.ReadFile("../../deploy/systemd/imserver.service")
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]string)
	for _, m := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(string(text), -1) {
		values[m[1]] = m[2]
	}
	id, source, _ := strings.Cut(values["LoadCredential"], ":")
	if filepath.Base(source) != id {
		t.Errorf("LoadCredential=%s", values["LoadCredential"])
	}
	folder := t.TempDir()
	example, err := os.ReadFile(exampleFile)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, id), example, 0o400)
	}
	if err != nil {
		t.Fatal(err)
	}
	command := strings.Fields(strings.ReplaceAll(values["ExecStart"], "${CREDENTIALS_DIRECTORY}", folder))
	r, err := parse(command[1:], env(nil), nil)
	if err != nil || r.file != filepath.Join(folder, id) || len(r.warnings) > 0 {
		t.Errorf("%q: %v %q", command, err, r.warnings)
	}
	if diff := cmp.Diff(server.DefaultConfig(), r.cfg); diff != "" {
		t.Errorf("it begins not with the defaults (-want +got):\n%s", diff)
	}
	if stop, err := time.ParseDuration(values["TimeoutStopSec"]); err != nil || stop < r.cfg.ShutdownTimeout+5*time.Second {
		t.Errorf("TimeoutStopSec=%s for a shutdown of %s: %v", values["TimeoutStopSec"], r.cfg.ShutdownTimeout, err)
	}
}
