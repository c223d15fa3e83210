package main

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// TestDocumentsNameWhatThereIs checks that the flags, variables and log lines that the documents name exist.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	var flags, variables []string
	for _, o := range options() {
		flags = append(flags, "--"+o.name)
	}
	var r request
	for _, s := range slices.Concat(settings(&r), secretSettings(&r.cfg)) {
		variables = append(variables, s.env)
	}
	logged := strings.Split(literals(t, "../../server", "../../telemetry", "."), "\n")

	span := regexp.MustCompile("`[^`]*`")
	flag := regexp.MustCompile("^`(?:imserver )?(--[a-z][a-z0-9-]*)")
	variable := regexp.MustCompile(`\bIM_[A-Z_]+`)
	quoted := regexp.MustCompile(`"([^"]+)"`)
	number := regexp.MustCompile(`\bN\b`)
	others := []string{"--bigkeys", "--max-connections", "IM_SITE", "IM_TRACE_URL"} // redis-cli's, MySQL's, compose's
	for _, name := range []string{"../../deploy/RUNBOOK.md", "../../deploy/README.md", "../../server/RUNNING.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range span.FindAllString(string(text), -1) {
			if m := flag.FindStringSubmatch(code); m != nil && !slices.Contains(flags, m[1]) && !slices.Contains(others, m[1]) {
				t.Errorf("%s: imserver has no %s", name, m[1])
			}
		}
		for _, v := range variable.FindAllString(string(text), -1) {
			if !slices.Contains(variables, v) && !slices.Contains(others, v) {
				t.Errorf("%s: imserver has no %s", name, v)
			}
		}
		if filepath.Base(name) != "RUNBOOK.md" {
			continue // only there quotes are for the log
		}
		prose := strings.ReplaceAll(span.ReplaceAllString(string(text), ""), "\n", " ")
		for _, m := range quoted.FindAllStringSubmatch(prose, -1) {
			said := strings.TrimPrefix(number.ReplaceAllString(m[1], "%d"), "telemetry: ") // which some texts have themselves
			if said != "many-to-many" && !slices.ContainsFunc(logged, begins(said)) {
				t.Errorf("%s: nothing logs %q", name, m[1])
			}
		}
	}
}

// TestAPIByHand runs the snippet of API.md as it stands: with a server two
// users chat, once and again, and without one it says so and leaves nothing.
func TestAPIByHand(t *testing.T) {
	for _, program := range []string{"bash", "curl", "jq"} {
		needs.Program(t, program)
	}
	text, err := os.ReadFile("../../server/API.md")
	if err != nil {
		t.Fatal(err)
	}
	_, snippet, found := strings.Cut(string(text), "```sh\n(set -euo")
	if !found {
		t.Fatal("API.md has no snippet that begins by (set -euo")
	}
	snippet, _, _ = strings.Cut("(set -euo"+snippet, "```")
	chat := func(addr string) (out string, files int, err error) {
		cmd := exec.Command("bash", "-c", snippet)
		cmd.Env = append(os.Environ(), "PORT="+addr[strings.LastIndexByte(addr, ':')+1:])
		cmd.Dir = t.TempDir()
		said, err := cmd.CombinedOutput()
		tokens, globErr := filepath.Glob(filepath.Join(cmd.Dir, "*.token"))
		if globErr != nil {
			t.Fatal(globErr)
		}
		return string(said), len(tokens), err
	}
	if out, files, err := chat(freeAddr(t)); err == nil || files > 0 || !strings.Contains(out, "start it first") {
		t.Errorf("without a server: %v, %d tokens, %s", err, files, out)
	}
	prog := alone(t)
	p := launch(t, prog)
	for range 2 {
		out, files, err := chat(strings.TrimPrefix(p.url, "http://"))
		if err != nil || files != 2 || !strings.Contains(out, `"hello Bob"`) || !strings.Contains(out, "\nmessages_sent_total 1\n") {
			t.Errorf("%v, %d tokens, %s", err, files, out)
		}
	}
	prog.tell(t, "ban", "--phone=10002", "--reason=a test")
	if out, _, err := chat(strings.TrimPrefix(p.url, "http://")); err == nil || !strings.Contains(out, "the account is banned: a test") || strings.Contains(out, "taken") {
		t.Errorf("of a banned user: %v, %s", err, out)
	}
}

// TestTheFirstAdministratorIsMadeInOneWay runs the command in every document that tells of it.
func TestTheFirstAdministratorIsMadeInOneWay(t *testing.T) {
	prog := alone(t)
	p := launch(t, prog)
	grant := regexp.MustCompile(`imserver admin (grant [^` + "`" + `#\n]*)`)
	for i, name := range []string{"README.md", "server/API.md", "server/RUNNING.md", "server/admin/docs/README.md", "deploy/README.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		phone := strconv.Itoa(10001 + i)
		p.register(t, phone)
		found := grant.FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s does not tell how to make an administrator", name)
		}
		for _, m := range found {
			line := strings.TrimSpace(m[1])
			if line != "grant --phone PHONE" {
				t.Errorf("%s has %q", name, line)
				continue
			}
			if out := prog.tell(t, strings.Fields(strings.ReplaceAll(line, "PHONE", phone))...); !strings.Contains(out, "is super_admin") {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// begins returns a function that reports whether a text is said, or said before further clauses. A text that only has
// it somewhere does not count: "waiting" is in many.
func begins(said string) func(string) bool {
	return func(text string) bool {
		rest, found := strings.CutPrefix(strings.TrimPrefix(text, "telemetry: "), said)
		return found && (rest == "" || strings.ContainsAny(rest[:1], ":;,"))
	}
}

// literals are the string literals of the programs below folders, tests left out.
func literals(t *testing.T, folders ...string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			var s scanner.Scanner
			s.Init(token.NewFileSet().AddFile(path, -1, len(source)), source, nil, 0)
			for {
				_, tok, text := s.Scan()
				if tok == token.EOF {
					return nil
				}
				if value, err := strconv.Unquote(text); tok == token.STRING && err == nil {
					all.WriteString(value + "\n")
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}
