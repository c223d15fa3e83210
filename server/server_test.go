package server_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

func TestAddressTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	cfg := server.DefaultConfig()
	dir := t.TempDir()
	cfg.Addr, cfg.DB, cfg.Blob = taken.Addr().String(), "sqlite://"+filepath.Join(dir, "im.db"), "file://"+filepath.Join(dir, "files")
	_, err = server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err == nil || !strings.Contains(err.Error(), cfg.Addr) {
		t.Errorf("an address that is taken: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "im.db")); !os.IsNotExist(err) {
		t.Errorf("a database was made all the same: %v", err)
	}
}

// TestTwoServersOneFile refuses the second, and lets go of what it had opened.
func TestTwoServersOneFile(t *testing.T) {
	dir := t.TempDir()
	same := func(c *server.Config) {
		c.DB, c.Blob = "sqlite://"+filepath.Join(dir, "im.db"), "file://"+filepath.Join(dir, "files")
	}
	a := start(t, same)
	tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tel.Shutdown(context.Background()) }()
	cfg := server.DefaultConfig()
	same(&cfg)
	cfg.Addr = "127.0.0.1:0"
	if _, err := server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test"); err == nil || !strings.Contains(err.Error(), "another server") {
		t.Errorf("a second server on one file: %v", err)
	}
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}
	start(t, same)
}

// TestANewDatabaseIsAnnounced checks that a misspelt --db does not go unnoticed: the folder must exist, and the log says
// that the database is new.
func TestANewDatabaseIsAnnounced(t *testing.T) {
	dir := t.TempDir()
	opened := func(db string) (said string, err error) {
		t.Helper()
		tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tel.Shutdown(context.Background()) }()
		cfg := server.DefaultConfig()
		cfg.Addr, cfg.DB, cfg.Blob = "127.0.0.1:0", "sqlite://"+filepath.Join(dir, db), "file://"+filepath.Join(dir, "files")
		var log strings.Builder
		s, err := server.New(t.Context(), cfg, tel, slog.New(slog.NewTextHandler(&log, nil)), "test")
		if err == nil {
			stopped, cancel := context.WithCancel(t.Context())
			cancel()
			err = s.Run(stopped)
		}
		return log.String(), err
	}
	const created = "created a new database"
	if said, err := opened("im.db"); err != nil || !strings.Contains(said, created) || !strings.Contains(said, filepath.Join(dir, "im.db")) {
		t.Errorf("%v: %s", err, said)
	}
	if said, err := opened("im.db"); err != nil || strings.Contains(said, created) {
		t.Errorf("the second time: %v: %s", err, said)
	}
	if said, err := opened("dta/im.db"); err == nil || !strings.Contains(err.Error(), "--db: there is no folder "+filepath.Join(dir, "dta")) || said != "" {
		t.Errorf("a misspelt folder: %v: %s", err, said)
	}
	if _, err := os.Stat(filepath.Join(dir, "dta")); !os.IsNotExist(err) {
		t.Errorf("a folder was made: %v", err)
	}
	_, err := opened("no/such/im.db")
	if err == nil {
		t.Fatal("it made folders")
	}
	advice := err.Error()[strings.LastIndex(err.Error(), ": ")+2:]
	if text, err := exec.Command("sh", "-c", advice).CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s", advice, err, text)
	}
	if said, err := opened("no/such/im.db"); err != nil || !strings.Contains(said, created) {
		t.Errorf("after %s: %v: %s", advice, err, said)
	}
}

// TestErrorsOfPathsNameTheirSetting, and a start that fails because of the files leaves no database behind.
func TestErrorsOfPathsNameTheirSetting(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	for _, c := range []struct{ db, blob, want string }{
		{"plain/im.db", "files", "--db: "},
		{"folder", "files", "--db: "},
		{"im.db", "plain/files", "--blob: "},
		{"im.db", "plain", "--blob: "},
	} {
		cfg := server.DefaultConfig()
		cfg.Addr, cfg.DB, cfg.Blob = "127.0.0.1:0", "sqlite://"+filepath.Join(dir, c.db), "file://"+filepath.Join(dir, c.blob)
		_, err := server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test")
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("--db %s --blob %s: %v", c.db, c.blob, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "im.db")); !os.IsNotExist(err) {
		t.Errorf("a database was made: %v", err)
	}
}

// TestRestart finds everything again: accounts, tokens, messages, files.
func TestRestart(t *testing.T) {
	t.Chdir(t.TempDir())
	same := func(c *server.Config) { c.DB, c.Blob = server.DefaultConfig().DB, server.DefaultConfig().Blob }
	a := start(t, same)
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	file := decode[struct{ Data struct{ ID int64 } }](t,
		alice.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte("kept")})).Data.ID
	sent := alice.send(t, map[string]any{"receiver_id": bob.id, "message_type": "file", "file_id": file, "client_msg_id": "one"})
	if err := a.stop(); err != nil {
		t.Fatal(err)
	}

	b := start(t, same)
	alice.app, bob.app = b, b
	if again := alice.send(t, map[string]any{"receiver_id": bob.id, "message_type": "file", "file_id": file, "client_msg_id": "one"}); again != sent {
		t.Errorf("a retry after the restart is %+v, was %+v", again, sent)
	}
	if got := bob.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, file); string(got) != "kept" {
		t.Errorf("the file holds %q", got)
	}
	if status, _ := b.call(t, "", "POST", "/api/auth/login", map[string]any{"username": "ALICE", "password": password}); status != http.StatusOK {
		t.Errorf("login after the restart: %d", status)
	}
	checkModes(t, "data")
}

// checkModes wants nothing that anybody else can read.
func checkModes(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStopsInTime stops while clients are connected, one of them deaf, and a
// request is under way.
func TestStopsInTime(t *testing.T) {
	t.Parallel()
	a := start(t, func(c *server.Config) { c.ShutdownTimeout = 5 * time.Second })
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	listening := bob.dial(t)
	alice.connect(t) // never reads
	slow, err := net.Dial("tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer slow.Close()
	_, err = fmt.Fprintf(slow, "POST /api/files/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n"+
		"--b\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nbegun", alice.token)
	if err != nil {
		t.Fatal(err)
	}

	start := time.Now()
	if err := a.stop(); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if took := time.Since(start); took > 6*time.Second {
		t.Errorf("shutdown took %v", took)
	}
	<-listening.closed
	if code := websocket.CloseStatus(listening.err); code != websocket.StatusGoingAway {
		t.Errorf("the client was told %v: %v", code, listening.err)
	}
}

// TestGarbageLeavesThePageWhole sends what nobody should, everywhere, and wants
// clear refusals, a connection that stays, nothing stored, and a page that parses.
func TestGarbageLeavesThePageWhole(t *testing.T) {
	a := start(t, nil)
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	s := alice.dial(t)
	for _, garbage := range []string{"", "{", "null", "[]", `"x"`, `{"type":1}`, `{"type":"\ud800"}`, `{"type":"message.send","payload":7}`,
		`{"type":"message.send","payload":{"receiver_id":"x"}}`, `{"type":"no.such"}`, strings.Repeat("[", 10_000)} {
		if err := s.conn.Write(t.Context(), websocket.MessageText, []byte(garbage)); err != nil {
			t.Fatal(err)
		}
		s.expect(t, "error")
	}
	for _, token := range []string{"x", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", strings.Repeat("a", 10_000)} {
		if status, body := a.call(t, token, "GET", "/api/users/me", nil); status != http.StatusUnauthorized {
			t.Errorf("token %.20q: %d %s", token, status, body)
		}
	}
	for _, body := range []any{
		nil, "text", 7, map[string]any{"content": 7}, map[string]any{"receiver_id": "x", "content": "x"},
		imclient.Raw(`{"receiver_id":2,"content":"` + "\xff" + `"}`), imclient.Raw(`{"receiver_id":2,"content":"x"} trailing`),
		imclient.Raw(`{"receiver_id":1e99,"content":"x"}`), imclient.Raw(`{"receiver_id":2,"content":"x"`), imclient.Raw("\x00"),
	} {
		if status, answer := a.call(t, alice.token, "POST", "/api/messages", body); status != http.StatusBadRequest {
			t.Errorf("%v: %d %s", body, status, answer)
		}
	}
	s.write(t, "ping", map[string]any{})
	s.expect(t, "pong")
	for _, u := range []*user{alice, bob} {
		if body := u.do(t, http.StatusOK, "GET", "/api/messages", nil); !strings.Contains(string(body), `"total":0`) {
			t.Errorf("something was stored: %s", body)
		}
	}
	p := a.scrape(t)
	if n := p.sum("im_frames_refused_total"); n != 11 {
		t.Errorf("%v refused frames are counted, want 11", n)
	}
}

// TestLimitsAreSettings lowers limits and runs into them.
func TestLimitsAreSettings(t *testing.T) {
	a := start(t, func(c *server.Config) {
		c.MaxContent, c.MaxUpload, c.MaxBody, c.MessageRate, c.MessageBurst, c.MaxMembers = 10, 100, 2000, 0.001, 5, 3
	})
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	carol := a.register(t, "10003", "carol")
	dave := a.register(t, "10004", "dave")
	alice.do(t, http.StatusRequestEntityTooLarge, "POST", "/api/messages", map[string]any{"receiver_id": bob.id, "content": "eleven bytes"})
	alice.do(t, http.StatusRequestEntityTooLarge, "POST", "/api/messages", map[string]any{"receiver_id": bob.id, "content": strings.Repeat("x", 3000)})
	alice.do(t, http.StatusRequestEntityTooLarge, "POST", "/api/files/upload", imclient.File{Name: "a", Content: make([]byte, 101)})
	alice.do(t, http.StatusBadRequest, "POST", "/api/chats", map[string]any{"title": "x", "member_ids": []int64{bob.id, carol.id, dave.id}})
	g := decode[struct{ Data struct{ ID int64 } }](t, alice.do(t, http.StatusCreated, "POST", "/api/chats",
		map[string]any{"title": "x", "member_ids": []int64{bob.id, carol.id}})).Data.ID
	alice.do(t, http.StatusConflict, "POST", "/api/chats/:id/members", map[string]any{"user_id": dave.id}, g)
	for range 5 {
		bob.send(t, map[string]any{"receiver_id": alice.id, "content": "x"})
	}
	bob.do(t, http.StatusTooManyRequests, "POST", "/api/messages", map[string]any{"receiver_id": alice.id, "content": "x"})
	s := bob.dial(t)
	s.write(t, "message.send", map[string]any{"receiver_id": alice.id, "content": "x", "client_msg_id": "c"})
	f := s.expect(t, "error")
	if !strings.Contains(string(f.Payload), "rate_limited") || !strings.Contains(string(f.Payload), `"c"`) {
		t.Errorf("over the limit: %s", f.Payload)
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*server.Config)
		want   string // part of the fault; empty: no fault
	}{
		"defaults":         {func(*server.Config) {}, ""},
		"absolute paths":   {func(c *server.Config) { c.DB, c.Blob = "sqlite:///srv/im.db", "file:///srv/files" }, ""},
		"no scheme":        {func(c *server.Config) { c.DB = "im.db" }, "sqlite://data/x"},
		"folder":           {func(c *server.Config) { c.DB = "sqlite://data/" }, "names no file"},
		"no path":          {func(c *server.Config) { c.Blob = "file://" }, "names no file"},
		"other database":   {func(c *server.Config) { c.DB = "postgres://h/db" }, `"postgres"`},
		"query":            {func(c *server.Config) { c.DB = "sqlite://im.db?mode=memory" }, "?"},
		"mysql":            {func(c *server.Config) { c.DB, c.JWTSecret = "mysql://u:p@h:3306/db", strings.Repeat("x", 32) }, ""},
		"mysql, no name":   {func(c *server.Config) { c.DB = "mysql://u:p@h:3306/" }, "db:"},
		"mysql, no secret": {func(c *server.Config) { c.DB = "mysql://u:p@h:3306/db" }, "IM_JWT_SECRET: is required"},
		"redis on SQLite":  {func(c *server.Config) { c.Redis = "redis://h:6379/0" }, "shared database"},
		"redis, no URL":    {func(c *server.Config) { c.Redis = "h" }, "redis:"},
		"s3":               {func(c *server.Config) { c.Blob = "s3://bucket?endpoint=http://localhost:9000" }, ""},
		"s3, no bucket":    {func(c *server.Config) { c.Blob = "s3://?endpoint=localhost" }, "blob:"},
		"turn":             {func(c *server.Config) { c.TURNAddr, c.TURNPublicIP = ":3478", "198.41.0.4" }, ""},
		"turn, one host":   {func(c *server.Config) { c.TURNAddr = "198.41.0.4:3478" }, ""},
		"turn, no port":    {func(c *server.Config) { c.TURNAddr = "198.41.0.4" }, "--turn-addr: is"},
		"turn, name":       {func(c *server.Config) { c.TURNAddr = "localhost:3478" }, "IPv4 address of this machine"},
		"turn, IPv6":       {func(c *server.Config) { c.TURNAddr = "[::1]:3478" }, "IPv4 address of this machine"},
		"turn, unknown":    {func(c *server.Config) { c.TURNAddr = ":3478" }, "turn-public-ip: is required"},
		"turn, unknown 2":  {func(c *server.Config) { c.TURNAddr = "0.0.0.0:3478" }, "turn-public-ip: is required"},
		"turn, no address": {func(c *server.Config) { c.TURNAddr, c.TURNPublicIP = ":3478", "turn.example.com" }, "turn-public-ip: is"},
		"turn, public 6":   {func(c *server.Config) { c.TURNAddr, c.TURNPublicIP = ":3478", "2001:db8::1" }, "turn-public-ip: is"},
		"turn, nowhere":    {func(c *server.Config) { c.TURNPublicIP = "198.41.0.4" }, "no effect without --turn-addr"},
		"turn, one port":   {func(c *server.Config) { c.TURNAddr, c.TURNRelayPorts = "127.0.0.1:0", "50000" }, "turn-relay-ports: is"},
		"turn, downward":   {func(c *server.Config) { c.TURNAddr, c.TURNRelayPorts = "127.0.0.1:0", "50000-49999" }, "turn-relay-ports: is"},
		"turn, nobody":     {func(c *server.Config) { c.TURNUserAllocations = 0 }, "turn-user-allocations: is"},
		"turn, backwards":  {func(c *server.Config) { c.TURNUserBandwidth = -1 }, "turn-user-bandwidth: is"},
		"turn, secret":     {func(c *server.Config) { c.TURNSecret = "short" }, "IM_TURN_SECRET"},
		"ice":              {func(c *server.Config) { c.ICEServers = []string{"stun:a.example", "stun:b.example:3479"} }, ""},
		"ice, garbage":     {func(c *server.Config) { c.ICEServers = []string{"stun:a.example", "b.example"} }, `ice-servers: "b.example"`},
		"ice, no secret":   {func(c *server.Config) { c.ICEServers = []string{"turn:a.example"} }, "IM_ICE_SECRET: is required"},
		"short secret":     {func(c *server.Config) { c.JWTSecret = "short" }, "32"},
		"long secret":      {func(c *server.Config) { c.JWTSecret = strings.Repeat("x", 32) }, ""},
		"token":            {func(c *server.Config) { c.MetricsToken = strings.Repeat("x", 16) }, ""},
		"token, short":     {func(c *server.Config) { c.MetricsToken = "hunter2" }, "--metrics-token: the token has 7 bytes"},
		"token, garbage":   {func(c *server.Config) { c.MetricsToken = strings.Repeat("x ", 16) }, "visible ASCII"},
		"token, no file":   {func(c *server.Config) { c.MetricsTokenFile = "no/such" }, "--metrics-token-file: open no/such"},
		"token, no text":   {func(c *server.Config) { c.MetricsTokenFile = "/dev/null" }, "--metrics-token-file: the token has 0 bytes"},
		"token, endless":   {func(c *server.Config) { c.MetricsTokenFile = "/dev/zero" }, "--metrics-token-file: /dev/zero has more than 4096"},
		"token, twice":     {func(c *server.Config) { c.MetricsToken, c.MetricsTokenFile = "x", "y" }, "--metrics-token-file: is set, and so is --metrics-token: leave one out"},
		"another database": {func(c *server.Config) { c.DB = "postgres://db/im" }, "db: has the scheme \"postgres\", which is not supported: sqlite:// or mysql://"},
		"another store":    {func(c *server.Config) { c.Blob = "gs://files" }, "file:// or s3://"},
		"two faults":       {func(c *server.Config) { c.DB = "mysql://u:p@db/im?pool=1&conns=0" }, "\n--db: pool: unknown setting"},
		"one address":      {func(c *server.Config) { c.MetricsAddr = c.Addr }, "same as --addr"},
		"no port":          {func(c *server.Config) { c.Addr = "localhost" }, "host:port"},
		"port":             {func(c *server.Config) { c.Addr = ":99999" }, "65535"},
		"log format":       {func(c *server.Config) { c.LogFormat = "xml" }, "text or json"},
		"nothing allowed":  {func(c *server.Config) { c.MaxUpload = 0 }, "positive"},
		"content > frame":  {func(c *server.Config) { c.MaxContent = 1 << 20 }, "do not fit"},
	} {
		cfg := server.DefaultConfig()
		c.change(&cfg)
		switch err := cfg.Validate(); {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q in it", name, err, c.want)
		}
	}
	cfg := server.DefaultConfig()
	cfg.DB = "postgres://root:hunter2@h/db?x"
	if err := cfg.Validate(); err == nil || strings.Contains(fmt.Sprint(err), "hunter2") {
		t.Errorf("a fault shows a password: %v", err)
	}
}
