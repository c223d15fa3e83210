package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// A clockBuild is a build of imserver whose wall clock a test can set. It has a time.Now
// of its own, and differs from a release in nothing else. (Linux sets the clock of the
// whole machine only, and Go does not ask libc, where it could be replaced.)
type clockBuild struct {
	bin string
	dir string // the file named like a process' id has the seconds that its clock is ahead
}

func newClockBuild(t *testing.T) clockBuild {
	t.Helper()
	s := clockBuild{bin: filepath.Join(t.TempDir(), "imserver"), dir: t.TempDir()}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(string(bytes.TrimSpace(root)), "src/time/time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const reading = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if bytes.Count(text, []byte(reading)) != 1 {
		t.Fatalf("%s has changed: it does not begin Now by %q", source, reading)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := make(map[string]string)
	for at, text := range map[string]string{
		source: string(bytes.Replace(text, []byte(reading), []byte(reading+"\tsec += Ahead.Load()\n"), 1)),
		filepath.Join(filepath.Dir(source), "ahead.go"): "package time\n\nimport \"sync/atomic\"\n\nvar Ahead atomic.Int64\n",
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

// set puts the clock of a process ahead of ours, and waits until its answers have that time.
func (s clockBuild) set(t *testing.T, p *process, ahead time.Duration) {
	t.Helper()
	at := filepath.Join(s.dir, strconv.Itoa(p.cmd.Process.Pid))
	next := at + ".next"
	if err := os.WriteFile(next, []byte(strconv.FormatInt(int64(ahead/time.Second), 10)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, at); err != nil { // it reads the old number or the new one
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get(p.url + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		theirs, err := http.ParseTime(answer.Header.Get("Date"))
		if err != nil {
			t.Fatal(err)
		}
		if off := theirs.Sub(time.Now().Add(ahead)); off.Abs() < 5*time.Second {
			return
		} else if time.Now().After(deadline) {
			t.Fatalf("the clock of %s is %s from what it was set to", p.url, off)
		}
	}
}
