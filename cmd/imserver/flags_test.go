package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"

	"github.com/google/go-cmp/cmp"
)

func env(kv map[string]string) func(string) string {
	return func(k string) string { return kv[k] }
}

func TestDefaults(t *testing.T) {
	r, err := parse(nil, env(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(server.DefaultConfig(), r.cfg); diff != "" {
		t.Errorf("no settings give not the defaults (-want +got):\n%s", diff)
	}
}

func TestFlagBeatsEnvironment(t *testing.T) {
	r, err := parse([]string{"--addr", ":1", "--max-upload=2MiB", "--turn-allow-private", "--turn-addr=:3478"}, env(map[string]string{
		"IM_TURN_ALLOW_PRIVATE": "false", "IM_TURN_PUBLIC_IP": "198.41.0.4", "IM_TURN_USER_BANDWIDTH": "1MiB",
		"IM_METRICS_TOKEN": "0123456789abcdef",
		"IM_ICE_SERVERS":   "stun:a.example, turn:b.example", "IM_ICE_SECRET": "north",
		"IM_ADDR": ":2", "IM_DB": "sqlite:///srv/im.db", "IM_MAX_UPLOAD": "3MiB", "IM_ALLOWED_ORIGINS": "a.example, b.example",
	}), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := server.DefaultConfig()
	want.Addr, want.DB, want.MaxUpload = ":1", "sqlite:///srv/im.db", 2<<20
	want.TURNAddr, want.TURNPublicIP, want.TURNAllowPrivate, want.TURNUserBandwidth = ":3478", "198.41.0.4", true, 1<<20
	want.MetricsToken = "0123456789abcdef"
	want.ICEServers, want.ICESecret = []string{"stun:a.example", "turn:b.example"}, "north"
	want.AllowedOrigins = []string{"a.example", "b.example"}
	if diff := cmp.Diff(want, r.cfg); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryFaultIsNamedAtOnce(t *testing.T) {
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"--db=mysql://root:hunter2@db/", "--log-format=xml", "--max-frame=many", "--message-rate=-1", "--turn-addr=:3478", "--ice-servers=turn:u:hunter2@h,turn:b:0", "stray", "--adr", ":1", "--adr2=x"},
		env(map[string]string{
			"IM_REDIS": "r:6379", "IM_BLOB": "ftp://bucket", "IM_JWT_SECRET": "short", "IM_LOG_LEVEL": "loud",
			"IM_TURN_RELAY_PORTS": "many", "IM_TURN_ALLOW_PRIVATE": "perhaps", "IM_TURN_SECRET": "short",
			"IM_METRICS_ADDR": "nowhere", "IM_TOKEN_TTL": "soon",
		}), &out, &errOut)
	if code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	for _, want := range []string{
		"--db: ", "IM_REDIS: ", `IM_BLOB: has the scheme \"ftp\"`, "--log-format:",
		"--max-frame:", "--message-rate:", `\"stray\"`, "unknown flag --adr\"", "unknown flag --adr2\"", "IM_JWT_SECRET:", "IM_LOG_LEVEL:", "IM_METRICS_ADDR:", "IM_TOKEN_TTL:",
		"--turn-public-ip:", "IM_TURN_RELAY_PORTS:", "IM_TURN_ALLOW_PRIVATE:", "IM_TURN_SECRET:", "--ice-servers: a URL", "--ice-servers: \\\"turn:b:0",
	} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("the answer does not name %s:\n%s", want, errOut.String())
		}
	}
	if strings.Contains(errOut.String(), "hunter2") || strings.Contains(errOut.String(), "short\"") {
		t.Errorf("the answer shows a secret:\n%s", errOut.String())
	}
}

// TestFaultsNameTheirSource: the flag, the variable or the line of the file.
func TestFaultsNameTheirSource(t *testing.T) {
	name := config(t, "max-body: 1MiB\nmax-members: 0\n", 0o600)
	for _, c := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{[]string{"--max-members=0"}, map[string]string{"IM_MAX_MEMBERS": "5"}, "--max-members: is 0, "},
		{nil, map[string]string{"IM_MAX_MEMBERS": "0"}, "IM_MAX_MEMBERS: is 0, "},
		{[]string{"--config", name}, nil, name + ":2: max-members: is 0, "},
		{[]string{"--db=mysql://im@db/chat"}, nil, "IM_JWT_SECRET: is required"}, // has no source
	} {
		if _, err := parse(c.args, env(c.env), nil); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q, %v: %v, want %s", c.args, c.env, err, c.want)
		}
	}
}

// TestErrorsAreInTheLogsFormat wherever the format is named, and whatever is
// wrong: a collector of logs reads them like any other line.
func TestErrorsAreInTheLogsFormat(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
	}{
		"the last flag":     {[]string{"--adr=:1", "stray", "--max-frame=many", "--log-format=json"}, nil},
		"a value behind it": {[]string{"--adr", ":1", "--log-format", "json"}, nil},
		"no value":          {[]string{"--log-format=json", "--addr"}, nil},
		"a variable":        {[]string{"--adr=:1"}, map[string]string{"IM_LOG_FORMAT": "json"}},
		"several lines":     {[]string{"--log-format=json", "--db=mysql://im:hunter2@db/chat?tls=maybe&conns=1"}, nil},
		"not healthy":       {[]string{"--log-format=json", "--healthcheck", "--addr=127.0.0.1:0"}, nil},
	} {
		var out, errOut bytes.Buffer
		if code := run(t.Context(), c.args, env(c.env), &out, &errOut); code == exitOK {
			t.Errorf("%s: exit code %d", name, code)
		}
		lines := 0
		for line := range strings.Lines(errOut.String()) {
			lines++
			var entry struct{ Level, Err string }
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Level != "ERROR" || entry.Err == "" {
				t.Errorf("%s: %v in %s", name, err, line)
			}
		}
		if lines == 0 || out.Len() > 0 {
			t.Errorf("%s: %d lines of errors; on standard output %q", name, lines, out.String())
		}
	}
	var out, errOut bytes.Buffer
	run(t.Context(), []string{"--adr=:1"}, env(nil), &out, &errOut)
	if !strings.HasPrefix(errOut.String(), "time=") || !strings.Contains(errOut.String(), `err="unknown flag --adr"`) {
		t.Errorf("as text: %s", errOut.String())
	}
}

func TestHelpNamesEverySetting(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(context.Background(), []string{"--help"}, env(nil), &out, &errOut); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, s := range settings(&request{cfg: server.DefaultConfig()}) {
		if !strings.Contains(out.String(), "--"+s.name+" ") || !strings.Contains(out.String(), s.env) {
			t.Errorf("--help does not tell of --%s and %s", s.name, s.env)
		}
		if d := s.value.String(); d != "" && !strings.Contains(out.String(), "default "+d) {
			t.Errorf("--help does not tell that --%s is %s by default", s.name, d)
		}
	}
}

func TestVersion(t *testing.T) {
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"--version"}, env(map[string]string{"IM_LOG_LEVEL": "loud", "IM_CONFIG": "/nowhere"}), &out, &errOut)
	line := regexp.MustCompile(`^imserver \S+ \(commit \S+, go1\.\S+ \w+/\w+\)\n$`)
	if code != exitOK || !line.MatchString(out.String()) {
		t.Errorf("exit code %d: %s%s", code, out.String(), errOut.String())
	}
}

// TestHealthcheck asks a real server, found by its setting, and one that is gone.
func TestHealthcheck(t *testing.T) {
	p := launch(t, alone(t))
	addr := strings.TrimPrefix(p.url, "http://")
	check := func(args []string, vars map[string]string, want int, say string) {
		t.Helper()
		var out, errOut bytes.Buffer
		if code := run(t.Context(), append(args, "--healthcheck"), env(vars), &out, &errOut); code != want || !strings.Contains(errOut.String(), say) {
			t.Errorf("exit code %d, want %d: %s", code, want, errOut.String())
		}
	}
	check(nil, map[string]string{"IM_ADDR": addr}, exitOK, "")
	check([]string{"--addr", addr}, map[string]string{"IM_DB": "mysql://u:p@db/im"}, exitOK, "") // without its secrets
	check([]string{"--addr", "nowhere"}, nil, exitFailed, "host:port")
	p.stop(t, shutdownTimeout)
	check([]string{"--addr", addr}, nil, exitFailed, "not healthy")
}

// TestDurationsAreLoggedWithUnits in both formats.
func TestDurationsAreLoggedWithUnits(t *testing.T) {
	for format, want := range map[string]string{"json": `"took":"1.5ms"`, "text": "took=1.5ms"} {
		cfg := server.DefaultConfig()
		cfg.LogFormat = format
		var out bytes.Buffer
		log := newLogger(cfg, &out)
		log.Info("request", "took", 1500*time.Microsecond)
		log.WithGroup("a").Info("request", slog.Group("b", "took", 1500*time.Microsecond))
		if got := strings.Count(out.String(), want) + strings.Count(out.String(), "a.b."+want); got < 2 {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}

// TestStartSaysWhereEverythingIs, and no password.
func TestStartSaysWhereEverythingIs(t *testing.T) {
	prog := alone(t)
	prog.args = []string{"--turn-addr=127.0.0.1:0", "--turn-allow-private"}
	prog.env = []string{"OTEL_METRICS_EXPORTER=otlp", "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS=key=hunter2"}
	p := launch(t, prog)
	p.stop(t, shutdownTimeout)
	said := p.log.String()
	for line := range strings.Lines(said) {
		if strings.Contains(line, `"imserver is up"`) && len(line) > 250 {
			t.Errorf("%d characters in one line: %s", len(line), line)
		}
	}
	for _, want := range []string{
		`"web":"` + p.url + `/"`, `"api":"` + p.url + `/api"`, `"metrics":"` + p.url + `/metrics"`,
		`"push-metrics":"http://127.0.0.1:1 (http/protobuf)"`, `"db":"sqlite://`, `"blob":"file://`, `"turn":"turn:127.0.0.1:`,
	} {
		if !strings.Contains(said, want) {
			t.Errorf("%s is not in %s", want, said)
		}
	}
	if want := `"msg":"stopping","within":"10s"`; !strings.Contains(p.log.String(), want) {
		t.Errorf("%s is not in %s", want, p.log)
	}
	if strings.Contains(p.log.String(), "hunter2") {
		t.Errorf("the log shows a secret:\n%s", p.log)
	}
}

// TestUnknownCommand is one error, which names the commands.
func TestUnknownCommand(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(t.Context(), []string{"adminn", "list", "--log-format=json"}, env(nil), &out, &errOut); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	said := errOut.String()
	if strings.Count(said, "\n") != 1 || !strings.HasPrefix(said, "{") || !strings.Contains(said, `unknown command \"adminn\": the commands are admin, completion, man and help`) {
		t.Errorf("the answer is %s", said)
	}
	for want, args := range map[string][]string{"Usage: imserver [": {"help"}, "Usage: imserver admin": {"help", "admin"}} {
		out.Reset()
		if code := run(t.Context(), args, env(nil), &out, &errOut); code != exitOK || !strings.Contains(out.String(), want) {
			t.Errorf("%q: exit code %d: %s", args, code, out.String())
		}
	}
}

func TestUnknownFlag(t *testing.T) {
	var out, errOut bytes.Buffer
	if code := run(context.Background(), []string{"--adr=:1"}, env(nil), &out, &errOut); code != exitUsage {
		t.Errorf("exit code %d, want %d", code, exitUsage)
	}
	if !strings.Contains(errOut.String(), "adr") || !strings.Contains(errOut.String(), "--help") {
		t.Errorf("the answer does not help: %s", errOut.String())
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]int64{"1": 1, "64KiB": 64 << 10, "1MiB": 1 << 20, "2 GiB": 2 << 30} {
		if got, err := parseSize(in, 1<<50); err != nil || got != want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "1TiB", "KiB", "99999999999999GiB", "1.5MiB"} {
		if got, err := parseSize(in, 1<<50); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", in, got)
		}
	}
	for arg, want := range map[string]string{
		"--max-upload=99999999999999999999":  `--max-upload: is "99999999999999999999", which is too large: want at most 1048576GiB`,
		"--max-upload=1048577GiB":            `--max-upload: is "1048577GiB", which is too large: want at most 1048576GiB`,
		"--user-quota=5TiB":                  `--user-quota: is "5TiB": want a number of bytes, KiB, MiB or GiB, such as 65536 or 64KiB, and at most 1048576GiB`,
		"--max-frame=2GiB":                   `--max-frame: is "2GiB", which is too large: want at most 1GiB`,
		"--max-upload=-99999999999999999999": `want a number of bytes`,
	} {
		if _, err := parse([]string{arg}, env(nil), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}

// TestMistypedVariablesAreFound names what looks like a setting and is none.
func TestMistypedVariablesAreFound(t *testing.T) {
	environ := []string{"IM_ADR=:1", "IM_METRIC_TOKEN=secret", "IM_ADDR=:1", "IM_METRICS_TOKEN=x", "IM_JWT_SECRET=x", "IM_TEST_S3=x", "PATH=/bin", "IM_"}
	if got := unknown(environ); !slices.Equal(got, []string{"IM_ADR", "IM_METRIC_TOKEN", "IM_"}) {
		t.Errorf("%q", got)
	}
	text := describe(settings(new(request)))
	for _, s := range secretSettings(new(server.Config)) {
		if !strings.Contains(text, "\n  "+s.env+"\n") {
			t.Errorf("--help does not tell of %s", s.env)
		}
	}
}
