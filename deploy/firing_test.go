package deploy

import (
	"database/sql"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pquerna/otp/totp"
)

// TestAlertsFire does to a real node what the alerts on accounts, searches and files are
// about, and wants Prometheus to fire each. Its rules look back over seconds, not hours,
// and fire at once; what they compare with stays.
func TestAlertsFire(t *testing.T) {
	otlp, collector := startCollector(t)
	blobs := t.TempDir()
	nodes, admin, database := startNodes(t, 1, otlp, "--blob=file://"+blobs, "--total-quota=1000000")
	p := startPrometheus(t, nodes, collector, func(dir string) { hasten(t, dir) })
	ann, ben, cat := newPerson(t, nodes[0], "30001"), newPerson(t, nodes[0], "30002"), newPerson(t, nodes[0], "30003")
	db := openDatabase(t, database)

	ann.upload(strings.Repeat("x", 950_000))
	p.fires(t, "IMFileQuota")
	var owner, bytes int64
	most := db.QueryRowContext(t.Context(), "SELECT owner_id, bytes FROM file_bytes WHERE owner_id > 0 ORDER BY bytes DESC LIMIT 10") // as in the runbook
	if err := most.Scan(&owner, &bytes); err != nil || owner != ann.ID || bytes != 950_000 {
		t.Fatalf("user %d has most, %d bytes: %v", owner, bytes, err)
	}

	truncateFiles(t, blobs)
	for range 3 {
		if answer, err := ann.Ask(t.Context(), "GET", "/api/users/me/export", nil); err == nil && answer.Status == http.StatusOK {
			t.Fatal("an export without the bytes of a file is complete")
		}
	}
	p.fires(t, "IMExportsFail")

	ben.tries(60, "/api/auth/login", object{"phone": ben.phone, "password": "not " + password})
	p.fires(t, "IMPasswordsGuessed")

	cat.enroll()
	cat.tries(25, "/api/auth/login/2fa", object{"login_token": cat.half(), "code": "000000"})
	p.fires(t, "IMCodesRefused")

	dan := newPerson(t, nodes[0], "30004")
	dan.replays(7)
	p.fires(t, "IMRefreshTokensReplayed")

	release := getStuck(t, db, ann, dan)
	p.fires(t, "IMDeletionsStuck")
	p.fires(t, "IMSearchIndexStuck")
	release()
	for _, command := range []string{"sessions", "logout", "reset-password", "ban"} { // which the runbook names
		admin(command, fmt.Sprint("--id=", ben.ID))
	}
	eventually(t, "the deletion is finished", func() bool {
		var left int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM leaving").Scan(&left); err != nil {
			t.Fatal(err)
		}
		return left == 0
	})
}

// fires waits until an alert has fired.
func (p *prometheus) fires(t *testing.T, alert string) {
	t.Helper()
	eventually(t, alert+" fires", func() bool {
		n, _ := p.most(t, fmt.Sprintf(`ALERTS{alertname=%q, alertstate="firing"}`, alert))
		return n > 0
	})
}

var (
	lookBack = regexp.MustCompile(`\[\d+[mh]\]`)
	pending  = regexp.MustCompile(`for: \d+m`)
)

func hasten(t *testing.T, dir string) {
	t.Helper()
	for _, file := range files(t, filepath.Join(dir, "rules", "*.yml")) {
		text, err := os.ReadFile(file)
		if err == nil {
			text = pending.ReplaceAll(lookBack.ReplaceAll(text, []byte("[20s]")), []byte("for: 0s"))
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// tries makes a request that is refused n times.
func (p *person) tries(n int, path string, body any) {
	p.t.Helper()
	for range n {
		answer, err := p.Ask(p.t.Context(), "POST", path, body)
		if err != nil || answer.Status != http.StatusUnauthorized && answer.Status != http.StatusTooManyRequests {
			p.t.Fatalf("%s: %d %v %s", path, answer.Status, err, answer.Body)
		}
	}
}

// enroll turns two-factor login on.
func (p *person) enroll() {
	p.t.Helper()
	var told struct{ Secret string }
	p.want(http.StatusOK, "POST", "/api/2fa/enable", object{"password": password}, &told)
	code, err := totp.GenerateCode(told.Secret, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	p.want(http.StatusOK, "POST", "/api/2fa/verify", object{"code": code}, nil)
}

// replays ends n sessions by their spent refresh tokens.
func (p *person) replays(n int) {
	p.t.Helper()
	var spent []string
	for range n {
		token := p.login()
		p.want(http.StatusOK, "POST", "/api/auth/refresh", object{"refresh_token": token}, nil)
		spent = append(spent, token)
	}
	at := time.Now()
	eventually(p.t, "the tokens are no retries", func() bool { return time.Since(at) > grace })
	for _, token := range spent {
		p.want(http.StatusUnauthorized, "POST", "/api/auth/refresh", object{"refresh_token": token}, nil)
	}
}

// truncateFiles cuts all files of a folder.
func truncateFiles(t *testing.T, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		n++
		return os.Truncate(path, 10)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d files are cut: %v", n, err)
	}
}

// openDatabase opens the database of a URL that imserver takes.
func openDatabase(t *testing.T, address string) *sql.DB {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Net, cfg.Addr, cfg.DBName = u.User.Username(), "tcp", u.Host, strings.TrimPrefix(u.Path, "/")
	cfg.Passwd, _ = u.User.Password()
	db, err := sql.Open("mysql", cfg.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// getStuck deletes leaver's account and sends a message while a lock keeps nodes from
// finishing the deletion and from indexing, two hours ago as far as the database knows.
// release ends the lock.
func getStuck(t *testing.T, db *sql.DB, writer, leaver *person) (release func()) {
	t.Helper()
	writer.want(http.StatusCreated, "POST", "/api/chats", object{"title": "left", "member_ids": []int64{leaver.ID}}, nil)
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelReadCommitted}) // which locks no gaps, so that others are let in
	if err != nil {
		t.Fatal(err)
	}
	for _, lock := range []string{
		fmt.Sprintf("SELECT COUNT(*) FROM members WHERE user_id = %d FOR UPDATE", leaver.ID),
		"SELECT COUNT(*) FROM search_progress WHERE id = 1 FOR UPDATE",
	} {
		var n int
		if err := tx.QueryRowContext(t.Context(), lock).Scan(&n); err != nil || n != 1 {
			t.Fatalf("%s: %d rows, want 1: %v", lock, n, err)
		}
	}
	writer.want(http.StatusOK, "POST", "/api/messages", object{"receiver_id": writer.ID, "content": "not indexed"}, nil)
	leaver.want(http.StatusOK, "DELETE", "/api/users/me", object{"password": password}, nil)
	const before = int64(2 * time.Hour / time.Microsecond)
	for _, old := range []string{
		fmt.Sprintf("UPDATE users SET deleted_at = deleted_at - %d WHERE id = %d", before, leaver.ID),
		fmt.Sprintf("UPDATE messages SET created_at = created_at - %d", before),
	} {
		if _, err := db.ExecContext(t.Context(), old); err != nil {
			t.Fatalf("%s: %v", old, err)
		}
	}
	return func() {
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}
