package sqlstore

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMySQLURL(t *testing.T) {
	m, err := parseMySQL("mysql://im:p%40ss%2Fw%3Fo%23rd@db.example/chat")
	if err != nil {
		t.Fatal(err)
	}
	if m.addr != "db.example:3306" || m.user != "im" || m.password != "p@ss/w?o#rd" || m.name != "chat" {
		t.Errorf("parsed as %+v", m)
	}
	if m.tls != nil || m.conns != 32 || m.timeout != 10*time.Second || m.connectTimeout != 3*time.Second || m.connLife != 30*time.Minute {
		t.Errorf("defaults: %+v", m)
	}
	m, err = parseMySQL("mysql://im@[::1]:3307/chat?tls=true&conns=8&timeout=1s&connect-timeout=2s&conn-life=1h")
	if err != nil {
		t.Fatal(err)
	}
	if m.addr != "[::1]:3307" || m.password != "" || m.tls == nil || m.tls.InsecureSkipVerify ||
		m.conns != 8 || m.timeout != time.Second || m.connectTimeout != 2*time.Second || m.connLife != time.Hour {
		t.Errorf("parsed as %+v", m)
	}
}

// TestMySQLURLFaults: the error names each fault of a URL, and does not contain the
// password.
func TestMySQLURLFaults(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for raw, wants := range map[string][]string{
		"":                                                                 {"not a MySQL URL"},
		"sqlite://x":                                                       {"not a MySQL URL"},
		"im:hunter2@tcp(db:3306)/chat":                                     {"mysql://"},
		"mysql://im:hunter2/x@db/chat":                                     {"percent-encode"},
		"mysql://im:hunter2%zz@db/chat":                                    {"percent-encode"},
		"mysql://im:hunter2@db:port/chat":                                  {"percent-encode"},
		"mysql://:hunter2@/":                                               {"no user", "no host", "no database"},
		"mysql://im:hunter2@db:0/a/b":                                      {"port", "with a /"},
		"mysql://im:hunter2@db/chat#x":                                     {"%23"},
		"mysql://im:hunter2@db/chat?tls=x&conns=1":                         {"tls: is", "conns: is"},
		"mysql://im:1?hunter2@db/chat":                                     {"%3F"},
		"mysql://im:1?tls=hunter2@db/chat":                                 {"%3F"},
		"mysql://im:1?hunter2=1@db/chat":                                   {"%3F"},
		"mysql://im:hunter2@db/chat?tls=skip-verify":                       {"lets others on the network read"},
		"mysql://im:hunter2@db/chat?tls=preferred":                         {"lets others on the network read"},
		"mysql://im:hunter2@db/chat?timeout=5&connect-timeout=0s":          {"timeout: is \"5\"", "connect-timeout: is"},
		"mysql://im:hunter2@db/chat?parseTime=true":                        {"parseTime: unknown setting"},
		"mysql://im:hunter2@db/chat?conns=5&conns=6":                       {"set twice"},
		"mysql://im:hunter2@db/chat?ca=/nowhere&tls=false&conn-life=never": {"no such file", "has no effect", "conn-life"},
		"mysql://im:hunter2@db/chat?ca=" + text:                            {"no certificate"},
	} {
		err := CheckMySQL(raw)
		if err == nil {
			t.Errorf("%s was accepted", raw)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error contains the password: %v", raw, err)
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not contain %q: %v", raw, want, err)
			}
		}
		if _, err := Open(t.Context(), Config{MySQL: raw, Path: ""}); raw != "" && err == nil {
			t.Errorf("%s was opened", raw)
		}
	}
}

// FuzzMySQLURL: no URL causes a panic, and no error contains the password.
func FuzzMySQLURL(f *testing.F) {
	f.Add("@db:3306/chat?tls=true")
	f.Add("@[::1/chat%zz?conns=0")
	f.Add(":x@db/%2f?tls=%00")
	f.Fuzz(func(t *testing.T, after string) {
		const password = "hunter2-hunter2"
		if err := CheckMySQL("mysql://im:" + password + after); err != nil && strings.Contains(err.Error(), password) {
			t.Errorf("%q: the error contains the password: %v", after, err)
		}
	})
}
