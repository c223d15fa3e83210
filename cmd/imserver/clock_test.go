package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A clockShop sells imservers whose wall clock can be set, and nothing else of which
// differs from what we release: they are built with a time.Now of their own. (No
// command sets the clock of one process, and Go does not ask libc.)
type clockShop struct {
	bin string
	dir string // the file named like a process' id has the seconds that its clock is ahead
}

func newClockShop(t *testing.T) clockShop {
	t.Helper()
	s := clockShop{bin: filepath.Join(t.TempDir(), "imserver"), dir: t.TempDir()}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	real := filepath.Join(string(bytes.TrimSpace(root)), "src/time/time.go")
	text, err := os.ReadFile(real)
	if err != nil {
		t.Fatal(err)
	}
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(text, []byte(reading)) != 1 {
		t.Fatalf("%s has changed: it does not begin Now by %q", real, reading)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := make(map[string]string)
	for at, text := range map[string]string{
		real: string(bytes.Replace(text, []byte(reading), []byte(reading+"\tsec += Ahead.Load()\n"), 1)),
		filepath.Join(filepath.Dir(real), "ahead.go"): "package time\n\nimport \"sync/atomic\"\n\nvar Ahead atomic.Int64\n",
		filepath.Join(here, "ahead.go"): fmt.Sprintf(`package main

import (
	"os"
	"path/filepath"
	"strconv"
	"time"
)

func init() {
	at := filepath.Join(%q, strconv.Itoa(os.Getpid()))
	go func() {
		for ; ; time.Sleep(20 * time.Millisecond) {
			if text, err := os.ReadFile(at); err == nil {
				if seconds, err := strconv.ParseInt(string(text), 10, 64); err == nil {
					time.Ahead.Store(seconds)
				}
			}
		}
	}()
}
`, s.dir),
	} {
		file := filepath.Join(s.dir, strconv.Itoa(len(overlay))+".go")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		overlay[at] = file
	}
	text, err = json.Marshal(map[string]any{"Replace": overlay})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(s.dir, "overlay.json")
	if err := os.WriteFile(list, text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Log("building an imserver whose clock can be set: a few minutes")
	if out, err := exec.Command("go", "build", "-overlay", list, "-o", s.bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return s
}

// set puts the clock of a process ahead of ours.
func (s clockShop) set(t *testing.T, p *process, ahead time.Duration) {
	t.Helper()
	at := filepath.Join(s.dir, strconv.Itoa(p.cmd.Process.Pid))
	next := at + ".next"
	if err := os.WriteFile(next, []byte(strconv.FormatInt(int64(ahead/time.Second), 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, at); err != nil { // it reads the old number or the new one
		t.Fatal(err)
	}
}
