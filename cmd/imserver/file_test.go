package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server"

	"github.com/google/go-cmp/cmp"
)

const exampleFile = "../../deploy/systemd/imserver.yaml"

func config(t testing.TB, text string, mode os.FileMode) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "im.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil { // past the umask
		t.Fatal(err)
	}
	return name
}

// TestEnvironmentBeatsFile, and flags beat both.
func TestEnvironmentBeatsFile(t *testing.T) {
	name := config(t, `
addr: ":3"
db: sqlite:///srv/file.db
max-upload: 3MiB
message-rate: 7.5
max-members: 12
turn-addr: 198.41.0.4:3478
turn-allow-private: true
ice-servers: [stun:a.example, "turn:b.example"]
trusted-proxies: 10.0.0.0/8, ::1
log-level: warn
call-ring: 1m
ice-secret: north
jwt-secret: 0123456789abcdef0123456789abcdef
`, 0o600)
	r, err := parse([]string{"--config", name, "--addr=:1"}, env(map[string]string{"IM_ADDR": ":2", "IM_MAX_UPLOAD": "2MiB", "IM_ICE_SECRET": "south"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := server.DefaultConfig()
	want.Addr, want.DB, want.MaxUpload, want.MessageRate, want.MaxMembers = ":1", "sqlite:///srv/file.db", 2<<20, 7.5, 12
	want.TURNAddr, want.TURNAllowPrivate = "198.41.0.4:3478", true
	want.ICEServers, want.ICESecret, want.JWTSecret = []string{"stun:a.example", "turn:b.example"}, "south", "0123456789abcdef0123456789abcdef"
	want.LogLevel, want.CallRing = 4, 60e9
	if got := r.cfg.TrustedProxies; len(got) != 2 || got[0].String() != "10.0.0.0/8" || got[1].String() != "::1/128" {
		t.Errorf("trusted proxies %v", got)
	}
	r.cfg.TrustedProxies = nil
	if diff := cmp.Diff(want, r.cfg); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(r.warnings) > 0 {
		t.Errorf("warnings %q", r.warnings)
	}
}

// TestFaultsOfAFileAreNamed with their lines, all of them at once, and no secret.
func TestFaultsOfAFileAreNamed(t *testing.T) {
	name := config(t, `log-format: json
adr: ":1"
max-frame: many
max-body: 2MiB
max-body: 3MiB
turn-allow-private: perhaps
redis:
metrics-token: {a: hunter2}
allowed-origins: [[hunter2]]
config: other.yaml
<<: {}
--addr: ":1"
jwt-secret: hunter2
call-ring: -1s
`, 0o600)
	var out, errOut bytes.Buffer
	if code := run(t.Context(), nil, env(map[string]string{"IM_CONFIG": name}), &out, &errOut); code != exitUsage {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{
		":2: adr: unknown setting", ":3: max-frame: is", ":5: max-body: is set twice, first in line 4", ":6: turn-allow-private: is",
		":7: redis: has no value", ":8: metrics-token: is neither a plain value", ":9: allowed-origins: is a list", ":10: config: unknown", ":11: <<: unknown",
		":12: --addr: unknown", ":13: jwt-secret: has 7 bytes", ":14: call-ring: is -1s",
	} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if strings.Contains(errOut.String(), "hunter2") || !strings.HasPrefix(errOut.String(), "{") {
		t.Errorf("a secret is shown, or it is no JSON:\n%s", errOut.String())
	}
}

// TestSyntaxErrorsNameTheirLine checks that it is the line to look at.
func TestSyntaxErrorsNameTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"addr: :1\nlog-format json\ndb: x\n":        "line 2: ",
		"addr: :1\nlog-format: json\n db: x\n":      "line 3: ",
		"addr: :1\n\nmax-body: \"2MiB\ndb: x\n":     "line 3: ",
		"addr: :1\nallowed-origins: [a, b\ndb: x\n": "line 2: ",
		"addr: :1\ndb:\n\tx\n":                      "line 3: ",
		"# only\naddr: :1\n- a\n":                   "line 3: ",
		"{addr: \":1\"\n":                           "line 1: ",
	} {
		if _, err := entriesOf([]byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// TestGarbageIsNoFile: whatever it is, the error names the file, and the server
// does not start on its defaults.
func TestGarbageIsNoFile(t *testing.T) {
	for what, text := range map[string]string{
		"a word": "hello", "a list": "- addr", "a null": "---\n", "JSON": `{"addr": ":1"`, "a tab": "addr:\n\t:1", "two documents": "addr: :1\n---\naddr: :2",
		"too long": "#" + strings.Repeat(" ", maxFile), "binary": "\x7fELF\x02\x01\x01", "no UTF-8": "addr: \xff\xfe", "no space": "jwt-secret:hunter2\naddr:x",
		"aliases": "addr: &a [x]\ndb: *a", "an alias as a name": "addr: &addr x\n*addr : y", "deep": strings.Repeat("[", 20_000),
	} {
		name := config(t, text, 0o600)
		_, err := parse([]string{"--config=" + name}, env(nil), nil)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, name := range []string{filepath.Join(t.TempDir(), "nothing"), t.TempDir()} {
		if _, err := parse([]string{"--config=" + name}, env(nil), nil); err == nil || !strings.Contains(err.Error(), "--config: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for what, text := range map[string]string{"nothing": "", "comments": "# addr: x\n", "JSON": `{"addr": ":1"}`} {
		if _, err := parse([]string{"--config=" + config(t, text, 0o600)}, env(nil), nil); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestSecretsForEverybodyAreToldOf, and only those.
func TestSecretsForEverybodyAreToldOf(t *testing.T) {
	for text, c := range map[string]struct {
		mode os.FileMode
		tell bool
	}{
		"jwt-secret: 0123456789abcdef0123456789abcdef":  {0o644, true},
		"metrics-token: 0123456789abcdef":               {0o604, true},
		`db: "sqlite://im:hunter2@data.db"`:             {0o644, true},
		"turn-secret: 0123456789abcdef0123456789abcdef": {0o640, false}, // of a group: root's choice
		"addr: :1": {0o644, false},
	} {
		r, err := parse([]string{"--config=" + config(t, text, c.mode)}, env(nil), nil)
		if err != nil {
			t.Error(err)
		}
		if told := len(r.warnings) == 1 && strings.Contains(r.warnings[0], "chmod 600"); told != c.tell {
			t.Errorf("%s with mode %o: %q", text, c.mode, r.warnings)
		}
	}
}

// TestExampleFile: as it is, it is the defaults; with every line commented in,
// it still is; and it has every setting.
func TestExampleFile(t *testing.T) {
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	commented := regexp.MustCompile(`(?m)^#([a-z0-9-]+: )`)
	all := commented.ReplaceAllString(string(text), "$1")
	for what, text := range map[string]string{"as it is": string(text), "commented in": all} {
		r, err := parse([]string{"--config=" + config(t, text, 0o600)}, env(nil), nil)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if diff := cmp.Diff(server.DefaultConfig(), r.cfg); diff != "" {
			t.Errorf("%s: not the defaults (-want +got):\n%s", what, diff)
		}
	}
	var r request
	for _, s := range slices.Concat(settings(&r)[1:], secretSettings(&r.cfg)) {
		if !strings.Contains(all, "\n"+s.name+": ") {
			t.Errorf("it has no %s", s.name)
		}
	}
}

// FuzzFile: a file is taken whole, or its name is in the error; nothing panics.
func FuzzFile(f *testing.F) {
	example, err := os.ReadFile(exampleFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("addr: [a, b]\n? {x: y}\n: z\n"))
	f.Add([]byte("&a addr: *a\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var r request
		known := slices.Concat(settings(&r), secretSettings(&r.cfg))
		entries, _ := entriesOf(text)
		p := parser{request: request{file: config(t, string(text), 0o600)}, given: make(map[string]string)}
		if err := p.readFile(known); err == nil && len(p.faults) == 0 && 2*len(p.given) != len(entries) {
			t.Errorf("of %q it took %v", text, p.given)
		}
	})
}
