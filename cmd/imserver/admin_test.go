package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pquerna/otp/totp"
	"github.com/pressly/goose/v3"

	"github.com/onemeter/onemeter/internal/imclient"
)

// told runs imserver admin, as the operator of prog's database does, and returns
// the exit code and what it says.
func (prog program) told(t *testing.T, in string, args ...string) (code int, out, errOut string) {
	t.Helper()
	vars := make(map[string]string)
	for _, v := range prog.env {
		name, value, _ := strings.Cut(v, "=")
		vars[name] = value
	}
	if vars["IM_DB"] == "" {
		vars["IM_DB"], vars["IM_BLOB"] = "sqlite://"+filepath.Join(prog.dir, "data/im.db"), "file://"+filepath.Join(prog.dir, "data/files")
	}
	var o, e bytes.Buffer
	code = admin(t.Context(), args, env(vars), strings.NewReader(in), &o, &e)
	return code, o.String(), e.String()
}

// tell is told for what has to work, and returns what it says.
func (prog program) tell(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errOut := prog.told(t, "", args...)
	if code != exitOK {
		t.Fatalf("%q: exit code %d: %s", args, code, errOut)
	}
	return out
}

// status is that of an answer without a body to send.
func (p *process) status(t *testing.T, method, path, token string) int {
	t.Helper()
	answer, err := imclient.Account{URL: p.url, Token: token}.Ask(t.Context(), method, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status
}

// post sends body as JSON, and reads the answer's data into data.
func (p *process) post(t *testing.T, path, token string, body, data any) {
	t.Helper()
	if err := (imclient.Account{URL: p.url, Token: token}).Do(context.Background(), http.MethodPost, path, body, data); err != nil {
		t.Fatal(err)
	}
}

// becomes waits until a node that runs has noticed: its answer has the status.
func (p *process) becomes(t *testing.T, path, token string, want int) {
	t.Helper()
	const noticed = 10 * time.Second // two, on a machine that does nothing else
	deadline := time.After(noticed)
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		if p.status(t, "GET", path, token) == want {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s does not answer %d within %s", path, want, noticed)
		}
	}
}

// socket connects, and returns what waits for the end of the connection.
func (p *process) socket(t *testing.T, token string) (closed func() (websocket.StatusCode, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	ws, err := imclient.Account{URL: p.url, Token: token}.Dial(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	if _, _, err := ws.Read(ctx); err != nil { // connect
		t.Fatal(err)
	}
	return func() (websocket.StatusCode, string) {
		for {
			if _, _, err := ws.Read(ctx); err != nil {
				var e websocket.CloseError
				if errors.As(err, &e) {
					return e.Code, e.Reason
				}
				t.Fatal(err)
			}
		}
	}
}

const statsPath, mePath = "/api/super-admin/stats", "/api/users/me"

// TestAdminWithoutAServer goes through the commands on a database that nobody uses.
func TestAdminWithoutAServer(t *testing.T) {
	prog := alone(t)
	if code, _, errOut := prog.told(t, "", "list"); code != exitFailed || !strings.Contains(errOut, "there is no database") {
		t.Errorf("%d: %s", code, errOut)
	}
	if _, err := os.Stat(filepath.Join(prog.dir, "data")); err == nil {
		t.Error("a database was made")
	}
	p := launch(t, prog)
	id := p.register(t, "10001").ID
	p.register(t, "10002")
	body := imclient.File{Name: "a", Content: []byte("that no message names")}
	if err := p.register(t, "10003").Do(t.Context(), http.MethodPost, "/api/files/upload", body, nil); err != nil {
		t.Fatal(err)
	}
	p.stop(t, shutdownTimeout)

	if out := prog.tell(t, "grant", "--username", "u10001"); !strings.Contains(out, fmt.Sprintf("u10001 (id %d) is super_admin", id)) {
		t.Error(out)
	}
	prog.tell(t, "grant", "--phone=10002", "--role=moderator")
	var staff []struct {
		ID   int64
		Role string
	}
	if err := json.Unmarshal([]byte(prog.tell(t, "list", "--json")), &staff); err != nil || len(staff) != 2 || staff[0].ID != id || staff[0].Role != "super_admin" {
		t.Errorf("%v %v", staff, err)
	}
	if code, _, errOut := prog.told(t, "", "revoke", "--id", strconv.FormatInt(id, 10)); code != exitFailed || !strings.Contains(errOut, "last super admin") {
		t.Errorf("%d: %s", code, errOut)
	}
	prog.tell(t, "revoke", "--username", "u10002")

	const evil = "spam\x1b[2J<script>\u202e"
	prog.tell(t, "ban", "--username=u10002", "--duration=24h", "--reason="+evil)
	if out := prog.tell(t, "users", "--status=banned"); strings.ContainsAny(out, "\x1b\u202e") || !strings.Contains(out, "<script>") || !strings.Contains(out, "1 of 1") {
		t.Errorf("%q", out)
	}
	if out := prog.tell(t, "users", "--json", "--name=U1000"); !strings.Contains(out, `"reason": "spam\u001b[2J<script>`) || !strings.Contains(out, `"total": 3`) {
		t.Error(out)
	}
	prog.tell(t, "unban", "--username", "u10002")
	if code, _, errOut := prog.told(t, "", "unban", "--username", "u10002"); code != exitFailed || !strings.Contains(errOut, "is not banned") {
		t.Errorf("%d: %s", code, errOut)
	}
	if out := prog.tell(t, "sessions", "--username", "u10001"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "127.0.0.1") {
		t.Error(out)
	}
	if out := prog.tell(t, "logout", "--username", "u10001"); !strings.Contains(out, "1 sessions ended") {
		t.Error(out)
	}
	var reset struct{ Password string }
	if err := json.Unmarshal([]byte(prog.tell(t, "reset-password", "--username=u10001", "--json")), &reset); err != nil || len(reset.Password) < 16 {
		t.Errorf("%+v %v", reset, err)
	}
	code, out, errOut := prog.told(t, "from a pipe\r\nsecond line\n", "reset-password", "--username=u10002", "--stdin")
	if code != exitOK || strings.Contains(out, "from a pipe") {
		t.Errorf("%d: %s%s", code, out, errOut)
	}
	if out := prog.tell(t, "audit", "--limit=200"); !strings.Contains(out, "  0 (operator)  ") || !strings.Contains(out, fmt.Sprintf("  user:%d (u10001)  ", id)) {
		t.Errorf("without names: %s", out)
	}
	if out := prog.tell(t, "audit", "--by=0", "--limit=200"); strings.Contains(out, reset.Password) || !strings.Contains(out, "refused: role set to user") ||
		!strings.Contains(out, "banned until") || strings.Contains(out, "\x1b") {
		t.Error(out)
	}

	prog.tell(t, "delete", "--phone=10003")
	if code, _, errOut := prog.told(t, "", "delete", "--phone=10003"); code != exitFailed || !strings.Contains(errOut, "no such user") {
		t.Errorf("%d: %s", code, errOut)
	}

	p = launch(t, prog)
	for username, password := range map[string]string{"u10001": reset.Password, "u10002": "from a pipe"} {
		var l struct{ User struct{ Role string } }
		p.post(t, "/api/auth/login", "", map[string]any{"username": username, "password": password}, &l)
		if want := map[string]string{"u10001": "super_admin", "u10002": "user"}[username]; l.User.Role != want {
			t.Errorf("%s is %s", username, l.User.Role)
		}
	}
	prog.forgets(t)
}

// forgets waits until a node has removed the bytes of all files: after its start
// it looks for what deleted accounts left.
func (prog program) forgets(t *testing.T) {
	t.Helper()
	deadline := time.After(patience)
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		var files []string
		err := filepath.WalkDir(filepath.Join(prog.dir, "data/files"), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				files = append(files, path)
			}
			return err
		})
		if err == nil && len(files) == 0 {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("files are left: %v, %v", files, err)
		}
	}
}

// TestALostSecondFactorIsReset by the operator, beside a server.
func TestALostSecondFactorIsReset(t *testing.T) {
	prog := alone(t)
	p := launch(t, prog)
	ann := p.register(t, "10001")
	var key struct{ Secret string }
	p.post(t, "/api/2fa/enable", ann.Token, map[string]any{"password": "secret!"}, &key)
	code, err := totp.GenerateCode(key.Secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	p.post(t, "/api/2fa/verify", ann.Token, map[string]any{"code": code}, nil)
	login := func() (l struct {
		Token     string
		TwoFactor bool `json:"two_factor"`
	}) {
		p.post(t, "/api/auth/login", "", map[string]any{"username": "u10001", "password": "secret!"}, &l)
		return l
	}
	if l := login(); !l.TwoFactor || l.Token != "" {
		t.Fatalf("%+v", l)
	}
	var reset struct {
		UserID int64 `json:"user_id"`
		Ended  int   `json:"sessions_ended"`
	}
	if err := json.Unmarshal([]byte(prog.tell(t, "reset-2fa", "--username=u10001", "--json")), &reset); err != nil || reset.UserID != ann.ID || reset.Ended != 1 {
		t.Errorf("%+v, %v", reset, err)
	}
	p.becomes(t, mePath, ann.Token, http.StatusUnauthorized)
	if l := login(); l.Token == "" {
		t.Errorf("%+v", l)
	}
	if code, _, errOut := prog.told(t, "", "reset-2fa", "--username=u10001"); code != exitFailed || !strings.Contains(errOut, "it is off already") {
		t.Errorf("%d: %s", code, errOut)
	}
	if out := prog.tell(t, "audit", "--by=0", "--level=info"); !strings.Contains(out, "two-factor login reset") {
		t.Error(out)
	}
}

// TestAnOlderDatabaseIsKept: its nodes may run. --migrate brings it up to date.
func TestAnOlderDatabaseIsKept(t *testing.T) {
	prog := alone(t)
	if err := os.MkdirAll(filepath.Join(prog.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(prog.dir, "data/im.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../../server/sqlstore/migrations/sqlite"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	const old = 3
	if _, err := p.UpTo(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(t.Context(), `INSERT INTO users (id, phone, username, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
		VALUES (1, '10001', 'u10001', '', '', '', 'user', '', '', 0, 1)`)
	if err != nil {
		t.Fatal(err)
	}
	version := func() int64 {
		t.Helper()
		v, err := p.GetDBVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, line := range []string{"users", "grant --username=u10001", "backup --to=" + filepath.Join(t.TempDir(), "x")} {
		code, out, errOut := prog.told(t, "", strings.Fields(line)...)
		if code != exitFailed || out != "" || !strings.Contains(errOut, "older version") || !strings.Contains(errOut, "--migrate") || version() != old {
			t.Errorf("%s: %d, version %d, %s%s", line, code, version(), out, errOut)
		}
	}
	prog.tell(t, "grant", "--username=u10001", "--migrate")
	if version() <= old {
		t.Errorf("the version is %d after --migrate", version())
	}
	prog.tell(t, "users")
}

// TestModerationReads reads others' messages where the operator allows it, and only there.
func TestModerationReads(t *testing.T) {
	for args, want := range map[string]int{"": http.StatusForbidden, "--moderation-reads": http.StatusOK} {
		prog := alone(t)
		prog.args = strings.Fields(args)
		p := launch(t, prog)
		token := p.register(t, "10001").Token
		prog.tell(t, "grant", "--username=u10001", "--role=moderator")
		p.becomes(t, "/api/moderation/reports/pending", token, http.StatusOK) // the role is in force
		p.becomes(t, "/api/super-admin/messages", token, want)
	}
}

// TestAdminCommandLines that are wrong say what is wrong, and do nothing.
func TestAdminCommandLines(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	for _, c := range []struct{ line, says string }{
		{"", "COMMAND"},
		{"explode", `unknown command "explode"`},
		{"grant", "name one account"},
		{"grant --username=a --id=5", "name one account"},
		{"grant --id=x", "--id is"},
		{"grant --username=u10001 --role=operator", "moderator, admin, super_admin"},
		{"grant --username=u10001 --everything", "unknown flag --everything"},
		{"ban --username=u10001 --duration=1", "--duration is"},
		{"ban --username=u10001 --duration=-5m", "--duration is"},
		{"users --page=0", "--page is"},
		{"users --limit=201", "--limit is 201: want at most 200"},
		{"audit --limit=1000", "--limit is 1000: want at most 200"},
		{"users --status=dead", "active, banned, deleted"},
		{"audit --by=me", "--by is"},
		{"list all", "unknown argument"},
		{"list --db=file://x", "--db"},
		{"list --config=/nothing", "--config"},
		{"reset-password --username=u10001 --stdin", "no password"},
		{"backup", "--to is required"},
	} {
		code, out, errOut := prog.told(t, "", strings.Fields(c.line)...)
		if code == exitOK || !strings.Contains(out+errOut, c.says) || c.line != "" && out != "" || strings.HasSuffix(errOut, "\n\n") {
			t.Errorf("%q: exit code %d: %s%s", c.line, code, out, errOut)
		}
	}
	for _, c := range []struct{ line, says string }{
		{"grant --username=nobody", "nobody has this username"},
		{"ban --id=4711", "no user with this id"},
		{"ban --username=u10001 --duration=200000h", "duration must be from 1 s"},
	} {
		if code, _, errOut := prog.told(t, "", strings.Fields(c.line)...); code != exitFailed || !strings.Contains(errOut, c.says) {
			t.Errorf("%q: exit code %d: %s", c.line, code, errOut)
		}
	}
	for _, v := range adminVerbs {
		out := prog.tell(t, v.name, "--help")
		for _, f := range v.flags() {
			if !strings.Contains(out, f+" ") && !strings.Contains(out, f+"\n") {
				t.Errorf("%s --help does not tell of %s", v.name, f)
			}
		}
		if !strings.Contains(prog.tell(t, "--help"), "\n  "+v.name+" ") || !strings.Contains(manPage(), `\fBadmin `+roff(v.name)) {
			t.Errorf("no %s in the help, or on the manual page", v.name)
		}
	}
}

// TestAdminBesideAServer: a server without Redis notices what is done to its
// database, and its clients with it.
func TestAdminBesideAServer(t *testing.T) {
	prog := alone(t)
	besides(t, prog, launch(t, prog), nil)
}

// TestAdminBesideNodes is the same with two nodes, on MySQL and Redis.
func TestAdminBesideNodes(t *testing.T) {
	prog := shared(t)
	all := start(t, 2, prog)
	besides(t, prog, all.node(0), all.node(1))
	to := filepath.Join(t.TempDir(), "x")
	code, _, errOut := prog.told(t, "", "backup", "--to="+to)
	if _, err := os.Stat(to); code != exitFailed || !strings.Contains(errOut, "mysqldump --single-transaction") || err == nil {
		t.Errorf("backup of MySQL: %d %s", code, errOut)
	}
}

func besides(t *testing.T, prog program, here, there *process) {
	t.Helper()
	if there == nil {
		there = here
	}
	ann := here.register(t, "10001")
	id, token, bob := ann.ID, ann.Token, here.register(t, "10002").Token
	for _, p := range []*process{here, there} {
		if got := p.status(t, "GET", statsPath, token); got != http.StatusForbidden {
			t.Fatalf("a plain user is answered %d", got)
		}
	}
	prog.tell(t, "grant", "--username=u10001", "--role=admin")
	here.becomes(t, statsPath, token, http.StatusOK)
	there.becomes(t, statsPath, token, http.StatusOK)

	sockets := []func() (websocket.StatusCode, string){here.socket(t, bob), there.socket(t, bob)}
	prog.tell(t, "ban", "--username=u10002", "--duration=1h", "--reason=spam")
	for _, closed := range sockets {
		if code, reason := closed(); code != 4401 || !strings.HasPrefix(reason, "banned until") || !strings.HasSuffix(reason, ": spam") {
			t.Errorf("closed with %d, %q", code, reason)
		}
	}
	here.becomes(t, mePath, bob, http.StatusUnauthorized)
	there.becomes(t, mePath, bob, http.StatusUnauthorized)
	prog.tell(t, "unban", "--username=u10002")

	// By the API it is at once: the answer comes after it is in force everywhere.
	var l struct{ Token string }
	there.post(t, "/api/auth/login", "", map[string]any{"username": "u10002", "password": "secret!"}, &l)
	bob = l.Token
	closed := there.socket(t, bob)
	var ban struct {
		UserID int64 `json:"user_id"`
	}
	users := fmt.Sprint("/api/super-admin/users/", id+1)
	here.post(t, users+"/ban", token, map[string]any{"reason": "again"}, &ban)
	if code, reason := closed(); code != 4401 || reason != "banned: again" {
		t.Errorf("closed with %d, %q", code, reason)
	}
	here.becomes(t, mePath, bob, http.StatusUnauthorized)
	there.becomes(t, mePath, bob, http.StatusUnauthorized)
	prog.tell(t, "revoke", "--username=u10001")
	here.becomes(t, statsPath, token, http.StatusForbidden)
	there.becomes(t, statsPath, token, http.StatusForbidden)
}

// TestBackup copies while users write, and starts a server on the copy.
func TestBackup(t *testing.T) {
	prog := alone(t)
	p := launch(t, prog)
	sender := p.register(t, "10001")
	ann, ben := sender.Token, p.register(t, "10002").ID
	var file struct{ ID int64 }
	body := imclient.File{Name: "a", Content: []byte("the bytes of a file")}
	if err := sender.Do(t.Context(), http.MethodPost, "/api/files/upload", body, &file); err != nil {
		t.Fatal(err)
	}
	send := func(ctx context.Context, n int) int64 {
		var m struct{ ID int64 }
		p.post(t, "/api/messages", ann, map[string]any{"receiver_id": ben, "content": fmt.Sprint("message ", n)}, &m)
		return m.ID
	}
	last := send(t.Context(), 0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				send(t.Context(), n)
			}
		}
	}()
	to := filepath.Join(t.TempDir(), "new")
	code, out, errOut := prog.told(t, "", "backup", "--to="+to, "--json")
	close(stop)
	<-stopped
	var b struct {
		Files  int
		Secret bool
	}
	if err := json.Unmarshal([]byte(out), &b); code != exitOK || err != nil || b.Files != 1 || !b.Secret || !strings.Contains(errOut, `"progress":"database"`) {
		t.Fatalf("exit code %d: %s%s", code, out, errOut)
	}
	if code, _, errOut := prog.told(t, "", "backup", "--to="+to); code != exitFailed || !strings.Contains(errOut, "is not empty") {
		t.Errorf("into the same folder: %d %s", code, errOut)
	}
	for _, name := range []string{"im.db", "jwt.secret"} {
		if info, err := os.Stat(filepath.Join(to, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
	restored := prog
	restored.dir = t.TempDir()
	restored.args = []string{"--db=sqlite://" + filepath.Join(to, "im.db"), "--blob=file://" + filepath.Join(to, "files")}
	r := launch(t, restored)
	if got := r.status(t, "GET", fmt.Sprint("/api/messages/", last), ann); got != http.StatusOK { // the token is good, too
		t.Errorf("the message: %d", got)
	}
	if got := r.status(t, "GET", fmt.Sprint("/api/files/", file.ID, "/download"), ann); got != http.StatusOK {
		t.Errorf("the file: %d", got)
	}
}

// TestAdminErrorsInJSON checks that a program that asks for JSON gets errors in JSON, with the same exit codes.
func TestAdminErrorsInJSON(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	for _, c := range []struct {
		line             string
		exit             int
		code, what, says string
	}{
		{"explode --json", exitUsage, "usage", "wrong command line", `unknown command "explode"`},
		{"list --json --everything", exitUsage, "usage", "wrong command line", "unknown flag --everything"},
		{"list --json --db=sqlite:///nothing/im.db", exitFailed, "failed", "command failed", "there is no database /nothing/im.db"},
		{"grant --json", exitUsage, "usage", "wrong command line", "name one account"},
		{"grant --json --username=nobody", exitFailed, "not_found", "no such user", "nobody has this username"},
		{"unban --json --username=u10001", exitFailed, "not_found", "ban not lifted", "the user is not banned"},
		{"ban --json --username=u10001 --duration=200000h", exitFailed, "invalid", "could not ban the user", "duration must be"},
		{"backup --json", exitUsage, "usage", "wrong command line", "--to is required"},
	} {
		code, out, errOut := prog.told(t, "", strings.Fields(c.line)...)
		var got map[string]string
		err := json.Unmarshal([]byte(errOut), &got)
		if code != c.exit || out != "" || err != nil || len(got) != 3 || strings.Count(errOut, "\n") != 1 ||
			got["error_code"] != c.code || got["error"] != c.what || !strings.Contains(got["details"], c.says) {
			t.Errorf("%q: exit code %d, %v: %s%s", c.line, code, err, out, errOut)
		}
	}
	to := filepath.Join(t.TempDir(), "backup")
	if code, out, errOut := prog.told(t, "", "backup", "--json", "--to", to); code != exitOK || !json.Valid([]byte(out)) {
		t.Errorf("exit code %d: %s%s", code, out, errOut)
	} else {
		for line := range strings.Lines(errOut) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %s", line)
			}
		}
	}
}

// TestAdminErrorsNameAnOptionOnce gives every option of every command a wrong value.
func TestAdminErrorsNameAnOptionOnce(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	for _, v := range adminVerbs {
		for _, o := range slices.Concat(v.options, everyVerb()) {
			wrong := "--" + o.name + "=\x00?"
			code, _, errOut := prog.told(t, "", v.name, wrong)
			if named := regexp.MustCompile(`-`+o.name+`\b`).FindAllString(errOut, -1); len(named) > 1 {
				t.Errorf("%s %q: exit code %d: %s", v.name, wrong, code, errOut)
			}
		}
	}
}
