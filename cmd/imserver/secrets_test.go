package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// TestNoSecretIsLogged runs the real binary at the level that says most, with a
// password in every place there is, on parts that work, that refuse and that
// are away, and looks through all that it says.
func TestNoSecretIsLogged(t *testing.T) {
	bin := build(t)
	keep := secrets{"hunter2-redis", os.Getenv("AWS_SECRET_ACCESS_KEY"), strings.Repeat("hunter2-jwt", 4)}
	db, err := url.Parse(needs.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	password, _ := db.User.Password()
	keep = append(keep, password)
	own := redistest.New(t)
	client := redis.NewClient(&redis.Options{Addr: own.Addr()})
	err = client.ConfigSet(t.Context(), "requirepass", "hunter2-redis").Err()
	if err := errors.Join(err, client.Close()); err != nil {
		t.Fatal(err)
	}
	endpoint, bucket := needs.S3(t)
	parts := map[string]string{
		"IM_DB": db.String(), "IM_REDIS": "redis://:hunter2-redis@" + own.Addr() + "/0",
		"IM_BLOB": "s3://" + bucket + "?endpoint=" + endpoint, "IM_JWT_SECRET": strings.Repeat("hunter2-jwt", 4),
	}
	with := func(key, value string) map[string]string {
		other := map[string]string{key: value}
		for k, v := range parts {
			if k != key {
				other[k] = v
			}
		}
		return other
	}

	p := say(t, bin, parts)
	base := p.awaitUp(t)
	keep = append(keep, chatter(t, base)...)
	p.awaitText(t, `"redis-prefix":"im:"`) // the runbook has nodes compared by it
	own.Stop()                             // the rest is said by parts that are away
	p.awaitText(t, "other nodes are not heard")
	if res, err := http.Get(base + "/readyz"); err == nil {
		_ = res.Body.Close()
	}
	p.stop(t)
	keep.notIn(t, "a server that works", p.String())

	nowhere := freeAddr(t)
	db.Host, db.User = nowhere, url.UserPassword("im", "hunter2-db")
	keep = append(keep, "hunter2-db", "hunter2-aws")
	refused := *db
	if refused.Host = mustParse(t, os.Getenv("IM_TEST_MYSQL")).Host; refused.Host == "" {
		t.Fatal("no host")
	}
	for name, env := range map[string]map[string]string{
		"a database that is away":    with("IM_DB", db.String()),
		"a database that refuses":    with("IM_DB", refused.String()),
		"S3 that is away":            with("IM_BLOB", "s3://"+bucket+"?endpoint=http://"+nowhere),
		"S3 that refuses":            with("AWS_SECRET_ACCESS_KEY", "hunter2-aws"),
		"a database's wrong setting": with("IM_DB", db.String()+"?conns=hunter2&hunter2=1"),
		"a password unencoded":       with("IM_DB", "mysql://im:1?hunter2-db@"+nowhere+"/x"),
		"Redis's wrong setting":      with("IM_REDIS", "redis://:hunter2-redis@h/x?pool_size=many"),
		"S3 with credentials":        with("IM_BLOB", "s3://key:hunter2-aws@"+bucket),
		"a short secret":             with("IM_JWT_SECRET", "hunter2-aws"),
	} {
		p := say(t, bin, env)
		if err := p.wait(); err == nil {
			t.Errorf("%s: it came up", name)
		}
		if p.String() == "" {
			t.Errorf("%s: it said nothing", name)
		}
		keep.notIn(t, name, p.String())
	}
}

// secrets are what must not be said.
type secrets []string

func (s secrets) notIn(t *testing.T, what, said string) {
	t.Helper()
	for i, secret := range s {
		if len(secret) < 8 {
			t.Errorf("secret %d is too short to be looked for", i)
		}
		if strings.Contains(said, secret) || strings.Contains(said, url.QueryEscape(secret)) {
			t.Errorf("%s: secret %d (%.4s…) is logged", what, i, secret)
		}
	}
}

// chatter has two users do what users do, and returns their secrets.
func chatter(t *testing.T, base string) secrets {
	t.Helper()
	const password, content, file = "hunter2-password", "hunter2-a message", "hunter2-a file"
	keep := secrets{password, "hunter2-wrong", content, file}
	var ids [2]int64
	var last imclient.Account
	for i := range ids {
		var err error
		if last, err = imclient.Register(t.Context(), base, imclient.Profile{Phone: fmt.Sprint(10001 + i), Password: password}); err != nil {
			t.Fatal(err)
		}
		ids[i] = last.ID
		keep = append(keep, last.Token, last.Refresh)
	}
	var renewed struct {
		Token   string
		Refresh string `json:"refresh_token"`
	}
	err := last.Do(t.Context(), "POST", "/api/auth/refresh", map[string]any{"refresh_token": last.Refresh}, &renewed)
	account := imclient.Account{URL: base, Token: renewed.Token}
	if err == nil {
		err = account.Do(t.Context(), "POST", "/api/messages", map[string]any{"receiver_id": ids[0], "content": content}, nil)
	}
	if err == nil {
		err = account.Do(t.Context(), "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte(file)}, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	keep = append(keep, renewed.Token, renewed.Refresh)

	// What is refused is said more of than what is not.
	for _, r := range []struct{ method, path, body string }{
		{"POST", "/api/auth/login", `{"phone":"10001","password":"hunter2-wrong"}`},
		{"POST", "/api/auth/login", `{"phone":"10001","password":"hunter2-wrong`},
		{"POST", "/api/messages", `{"receiver_id":"x","content":"` + content + `"}`},
		{"GET", "/ws?token=" + last.Token + "x", ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), r.method, base+r.path, strings.NewReader(r.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+account.Token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}

	conn, err := account.Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	for _, frame := range []string{
		fmt.Sprintf(`{"type":"message.send","payload":{"receiver_id":%d,"content":%q}}`, ids[0], content),
		`{"type":"message.send","payload":{"content":"` + content, content,
	} {
		if err := conn.Write(t.Context(), websocket.MessageText, []byte(frame)); err != nil {
			t.Fatal(err)
		}
	}
	for answers := 0; answers < 3; {
		_, text, err := conn.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(`"message.ack"`)) || bytes.Contains(text, []byte(`"error"`)) {
			answers++
		}
	}
	return keep
}

// A speaker is a process, and all that it says so far.
type speaker struct {
	cmd *exec.Cmd

	mu   sync.Mutex
	said bytes.Buffer
}

func (s *speaker) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.Write(b)
}

func (s *speaker) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// say starts the binary with settings in its environment.
func say(t *testing.T, bin string, env map[string]string) *speaker {
	t.Helper()
	s := &speaker{cmd: exec.CommandContext(t.Context(), bin, "--addr=127.0.0.1:0", "--log-level=debug", "--log-format=json")}
	s.cmd.Stdout, s.cmd.Stderr, s.cmd.Dir = s, s, t.TempDir()
	s.cmd.Env = os.Environ()
	for k, v := range env {
		s.cmd.Env = append(s.cmd.Env, k+"="+v)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *speaker) wait() error { return s.cmd.Wait() }

func (s *speaker) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(s.cmd.Process.Signal(syscall.SIGTERM), s.wait()); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func (s *speaker) awaitText(t *testing.T, text string) string {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if said := s.String(); strings.Contains(said, text) {
			return said
		}
		if time.Now().After(deadline) {
			t.Fatalf("it did not say %q", text)
		}
	}
}

// awaitUp returns where the server is.
func (s *speaker) awaitUp(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(s.awaitText(t, "imserver is up")) {
		var entry struct{ Msg, API string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == "imserver is up" {
			return strings.TrimSuffix(entry.API, "/api")
		}
	}
	t.Fatal("it did not say where it is")
	return ""
}

// freeAddr is where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
