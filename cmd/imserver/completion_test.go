package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// printed is what a command line prints, in a file.
func printed(t *testing.T, args ...string) (file, text string) {
	t.Helper()
	var out, errOut bytes.Buffer
	if code := run(t.Context(), args, env(nil), &out, &errOut); code != exitOK || errOut.Len() > 0 {
		t.Fatalf("%q: exit code %d: %s", args, code, errOut.String())
	}
	file = filepath.Join(t.TempDir(), "imserver")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, out.String()
}

// shell runs a script, and leaves the test out where there is no such shell.
func shell(t *testing.T, program string, args ...string) []string {
	t.Helper()
	needs.Program(t, program)
	cmd := exec.Command(program, args...)
	cmd.Dir = t.TempDir()
	for _, name := range []string{"im.yaml", "im other.yaml"} {
		if err := os.WriteFile(filepath.Join(cmd.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}

// TestBashCompletes in a real bash what is typed so far.
func TestBashCompletes(t *testing.T) {
	file, text := printed(t, "completion", "bash")
	for _, c := range []struct{ typed, want string }{
		{"imserver --turn-pub", "--turn-public-ip"},
		{"imserver --addr :1 --log-f", "--log-format"},
		{"imserver --log-format ", "text json"},
		{"imserver --log-level = w", "warn"},
		{"imserver --log-level =", "debug info warn error"},
		{"imserver com", "completion"},
		{"imserver completion z", "zsh"},
		{"imserver --config im", "im other.yaml im.yaml"},
		{"imserver --addr x", ""},
		{"imserver adm", "admin"},
		{"imserver admin reset-p", "reset-password"},
		{"imserver admin ban --dur", "--duration"},
		{"imserver admin grant --role mod", "moderator"},
		{"imserver admin users --config im", "im other.yaml im.yaml"},
		{"imserver admin list --turn", ""},
	} {
		words := strings.Split(c.typed, " ")
		script := `compopt() { :; }; source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _imserver; printf '%s\n' "${COMPREPLY[@]}" | sort`
		got := shell(t, "bash", append([]string{"-euc", script, "bash", file}, words...)...)
		want := strings.Fields(c.want)
		if strings.HasPrefix(c.want, "im other") {
			want = []string{"im other.yaml", "im.yaml"}
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", c.typed, got, want)
		}
	}
	if out := shell(t, "bash", "-c", `source "$1"; complete -p imserver`, "bash", file); len(out) != 1 || out[0] != "complete -F _imserver imserver" {
		t.Errorf("%q", out)
	}
	for _, o := range options() {
		if !strings.Contains(text, "--"+o.name) {
			t.Errorf("no --%s", o.name)
		}
	}
}

func TestFishCompletes(t *testing.T) {
	file, _ := printed(t, "completion", "fish")
	for typed, want := range map[string]string{
		"imserver --turn-pub":     "--turn-public-ip",
		"imserver --log-format ":  "json,text",
		"imserver --log-level=w":  "--log-level=warn",
		"imserver completion ":    "bash,fish,zsh",
		"imserver ":               "admin,completion,man",
		"imserver admin una":      "unban",
		"imserver admin ban --du": "--duration",
		"imserver --config im.ya": "im.yaml",
	} {
		out := shell(t, "fish", "--no-config", "-c", `source $argv[1]; complete -C $argv[2]`, file, typed)
		var got []string
		for _, line := range out {
			word, _, _ := strings.Cut(line, "\t")
			got = append(got, word)
		}
		slices.Sort(got)
		if strings.Join(got, ",") != want {
			t.Errorf("%q: %q, want %s", typed, got, want)
		}
	}
}

// TestZshCompletes has zsh's own completion system take the script, in a
// terminal of zsh's making.
func TestZshCompletes(t *testing.T) {
	needs.Program(t, "zsh")
	file, _ := printed(t, "completion", "zsh")
	folder := filepath.Dir(file)
	if err := os.Rename(file, filepath.Join(folder, "_imserver")); err != nil {
		t.Fatal(err)
	}
	const script = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "fpath=($1 \$fpath); autoload -U compinit; compinit -D -u; bindkey '^I' complete-word; print BE''GIN"
zpty -r z out '*BEGIN*'
zpty -w -n z "imserver $2"$'\t'
zpty -r z out "*$3*" && print found
`
	for typed, want := range map[string]string{"--turn-pub": "turn-public-ip", "--log-level=w": "warn", "completion z": "zsh", "admin unb": "unban", "admin ban --dur": "duration"} {
		cmd := []string{"60", "zsh", "-f", "-c", script, "zsh", folder, typed, want}
		if out := shell(t, "timeout", cmd...); !slices.Equal(out, []string{"found"}) {
			t.Errorf("%q: %q, want %s", typed, out, want)
		}
	}
}

// TestManPage has what formats manual pages look for faults, and every setting
// on it.
func TestManPage(t *testing.T) {
	needs.Program(t, "groff")
	needs.Program(t, "mandoc")
	file, _ := printed(t, "man")
	shown := strings.Join(shell(t, "sh", "-c", `groff -man -ww -z "$1" 2>&1 && groff -man -Tascii -P-cbou -rLL=1000n "$1"`, "sh", file), "\n")
	if strings.Contains(shown, "warning") || strings.Contains(shown, "error:") {
		t.Errorf("groff: %.2000s", shown)
	}
	for _, s := range settings(new(request)) {
		if !strings.Contains(shown, "--"+s.name) || !strings.Contains(shown, s.env) {
			t.Errorf("no --%s or %s", s.name, s.env)
		}
	}
	// A page without a date is no fault, and long lines are what the table has.
	for _, line := range shell(t, "sh", "-c", `mandoc -Tlint -Wwarning "$1"; true`, "sh", file) {
		if !strings.Contains(line, "missing date") {
			t.Errorf("mandoc: %s", line)
		}
	}
	if roff("'.-\\") != `\&'.\-\e` || roff(".x") != `\&.x` {
		t.Error("a line of text can be a command")
	}
}

// TestUnknownCommands are told, and start no server.
func TestUnknownCommands(t *testing.T) {
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"man", "bash"}, {"completion", "bash", "--addr=:1"}} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), args, env(nil), &out, &errOut); code != exitUsage || !strings.Contains(errOut.String(), "completion bash, fish or zsh") || out.Len() > 0 {
			t.Errorf("%q: exit code %d: %s%s", args, code, out.String(), errOut.String())
		}
	}
}
