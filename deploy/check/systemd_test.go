package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const unit = "deploy/systemd/imserver.service"

// TestSystemdUnit has systemd itself read the unit, and wants it to be as
// closed as it can be: 2.0 of 10 at most, where 0 is a service that does nothing.
func TestSystemdUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	file := filepath.Join(t.TempDir(), "imserver.service")
	// It wants the program to be there.
	text := strings.Replace(contents(t, unit), "ExecStart=/usr/bin/imserver ", "ExecStart=/bin/true ", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", "--man=no", file).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=20", "--no-pager", file).CombinedOutput(); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestSystemdTmpfiles makes what an installation begins with: settings that only
// root reads, and that stay as an operator changed them.
func TestSystemdTmpfiles(t *testing.T) {
	tmpfiles, err := exec.LookPath("systemd-tmpfiles")
	if err != nil || os.Getuid() != 0 {
		t.Skip("systemd-tmpfiles is not installed, or this is not root")
	}
	tree := t.TempDir()
	share := filepath.Join(tree, "usr/share/imserver")
	example := contents(t, "deploy/systemd/imserver.yaml")
	for _, folder := range []string{share, filepath.Join(tree, "etc")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(share, "imserver.yaml"), []byte(example), 0o644); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs(filepath.Join(root, "deploy/systemd/tmpfiles.conf"))
	if err != nil {
		t.Fatal(err)
	}
	create := func() {
		t.Helper()
		if out, err := exec.Command(tmpfiles, "--root="+tree, "--create", rules).CombinedOutput(); err != nil {
			t.Fatalf("systemd-tmpfiles: %v\n%s", err, out)
		}
	}
	file := filepath.Join(tree, "etc/imserver/imserver.yaml")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	create()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 || read() != example {
		t.Errorf("%v %v", info, err)
	}
	if err := os.WriteFile(file, []byte("addr: :1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	create()
	if got := read(); got != "addr: :1\n" {
		t.Errorf("an upgrade changed the settings to %q", got)
	}
}
