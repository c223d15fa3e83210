package observe

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"
	"modernc.org/sqlite"

	"github.com/onemeter/onemeter/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// observed makes an Observer and a function that scrapes it.
func observed(t testing.TB) (*Observer, func() string) {
	t.Helper()
	p, err := telemetry.New(context.Background(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	o, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return o, func() string {
		w := httptest.NewRecorder()
		p.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Body.String()
	}
}

func TestParse(t *testing.T) {
	for query, want := range map[string]statement{
		"SELECT id FROM users WHERE id = ?":                                          {"select", "users"},
		"\n\tselect m.id\n\tfrom messages m JOIN members x ON 1":                     {"select", "messages"},
		"SELECT a FROM (SELECT 1 AS a UNION SELECT 2) k JOIN members m":              {"select", "members"},
		"SELECT CASE WHEN EXISTS (SELECT 1 FROM members) THEN 1 END FROM messages x": {"select", "messages"},
		"INSERT INTO messages(id, seq) VALUES (?, ?), (?, ?)":                        {"insert", "messages"},
		"INSERT OR IGNORE INTO `friends` (a) VALUES (?)":                             {"insert", "friends"},
		"UPDATE conversations SET last_seq = ? WHERE id = ?":                         {"update", "conversations"},
		"DELETE FROM sessions WHERE id = ?":                                          {"delete", "sessions"},
		"CREATE TABLE users (id INTEGER)":                                            {"create", "users"},
		"WITH k AS (SELECT 1) SELECT * FROM messages":                                {"select", "messages"},
		"PRAGMA journal_mode(WAL)":                                                   {"pragma", "none"},
		"START TRANSACTION":                                                          {"begin", "none"},
		"UPDATE calls SET x = ?; INSERT INTO messages (id) VALUES (?)":               {"insert", "messages"},
		"START TRANSACTION; INSERT INTO messages (id) VALUES (?); COMMIT":            {"insert", "messages"},
		"UPDATE (SELECT 1) k STRAIGHT_JOIN members m ON 1 SET m.x = 1":               {"update", "members"},
		"begin":       {"begin", "none"},
		"VACUUM":      {"other", "none"},
		"":            {"other", "none"},
		"SELECT 1":    {"select", "none"},
		"DELETE FROM": {"delete", "none"},
	} {
		if got := parse(lastOf(query)); got != want {
			t.Errorf("parse(%q) = %+v, want %+v", query, got, want)
		}
	}
}

// TestEveryStatementIsTimed runs statements of every sort through a real driver.
func TestEveryStatementIsTimed(t *testing.T) {
	o, scrape := observed(t)
	connector, err := sqlite.NewConnector("file:" + filepath.Join(t.TempDir(), "x.db"))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(o.SQL("sqlite", func(error) string { return "wrong" })(connector))
	defer db.Close()
	ctx := t.Context()
	run := func(tx interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
	}, query string, args ...any) {
		t.Helper()
		if _, err := tx.ExecContext(ctx, query, args...); err != nil {
			t.Fatal(err)
		}
	}
	run(db, "CREATE TABLE users (id INTEGER)")
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	run(tx, "INSERT INTO users (id) VALUES (?), (?)", 1, 2)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	stmt, err := db.PrepareContext(ctx, "SELECT id FROM users WHERE id = ?")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for range 3 {
		var id int
		if err := stmt.QueryRowContext(ctx, 2).Scan(&id); err != nil || id != 2 {
			t.Fatal(id, err)
		}
	}
	if _, err := db.ExecContext(ctx, "DELETE FROM users WHERE nonsense"); err == nil {
		t.Fatal("no error")
	}
	if _, err := db.ExecContext(ctx, "SELECT abs(-9223372036854775808) FROM users"); err == nil {
		t.Fatal("no error of a row")
	}
	tx, err = db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	page := scrape()
	for _, want := range []string{
		`db_query_duration_seconds_count{operation="create",table="users"} 1`,
		`db_query_duration_seconds_count{operation="insert",table="users"} 1`,
		`db_query_duration_seconds_count{operation="select",table="users"} 4`,
		`db_client_operation_duration_seconds_count{db_collection_name="users",db_operation_name="select",db_system_name="sqlite"} 3`,
		`db_client_operation_duration_seconds_count{db_collection_name="users",db_operation_name="select",db_system_name="sqlite",error_type="wrong"} 1`,
		`db_client_operation_duration_seconds_count{db_collection_name="users",db_operation_name="delete",db_system_name="sqlite",error_type="wrong"} 1`,
		`db_query_duration_seconds_count{operation="delete",table="users"} 1`,
		`db_query_duration_seconds_count{operation="begin",table="none"} 2`,
		`db_query_duration_seconds_count{operation="commit",table="none"} 1`,
		`db_query_duration_seconds_count{operation="rollback",table="none"} 1`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page)
		}
	}
}

func TestRollingMean(t *testing.T) {
	var r rollingMean
	now := time.Unix(1_000_000, 0)
	if got := r.mean(now); got != 0 {
		t.Errorf("idle: %v", got)
	}
	r.add(now, 3, 30*time.Millisecond)
	r.add(now.Add(20*time.Second), 1, 50*time.Millisecond)
	for after, want := range map[time.Duration]time.Duration{
		20 * time.Second: 20 * time.Millisecond,
		59 * time.Second: 20 * time.Millisecond,
		60 * time.Second: 50 * time.Millisecond,
		79 * time.Second: 50 * time.Millisecond,
		80 * time.Second: 0,
	} {
		if got := r.mean(now.Add(after)); got != want {
			t.Errorf("after %v the mean is %v, want %v", after, got, want)
		}
	}
	r.add(now.Add(60*time.Second), 1, time.Second) // reuses the first slot
	if got, want := r.mean(now.Add(60*time.Second)), 525*time.Millisecond; got != want {
		t.Errorf("the mean is %v, want %v", got, want)
	}
}

// TestResponsesAreToldApart covers the statuses that handlers leave implicit.
func TestResponsesAreToldApart(t *testing.T) {
	o, scrape := observed(t)
	handler := o.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/silent":
			r.Pattern = "/silent"
		case "/written":
			r.Pattern = "/written"
			_, _ = w.Write([]byte("x"))
		case "/early":
			r.Pattern = "/early"
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK) // too late
		case "/upgraded":
			r.Pattern = "/upgraded"
			w.WriteHeader(http.StatusSwitchingProtocols)
		default:
			http.NotFound(w, r)
		}
	}))
	for _, target := range []string{"GET /silent", "GET /written", "GET /early", "GET /upgraded", "BREW /x", "GET /y"} {
		method, path, _ := strings.Cut(target, " ")
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
	}
	page := scrape()
	for _, series := range []string{
		`{method="GET",path="/silent",status="200"} 1`, `{method="GET",path="/written",status="200"} 1`,
		`{method="GET",path="/early",status="418"} 1`, `{method="GET",path="/upgraded",status="101"} 1`,
		`{method="_OTHER",path="unmatched",status="404"} 1`, `{method="GET",path="unmatched",status="404"} 1`,
	} {
		if !strings.Contains(page, "http_requests_total"+series) {
			t.Errorf("the page lacks http_requests_total%s", series)
		}
		timed := strings.Contains(page, "http_request_duration_seconds_count"+series)
		if webSocket := strings.Contains(series, "101"); timed == webSocket {
			t.Errorf("http_request_duration_seconds%s: %v", series, timed)
		}
	}
}

// BenchmarkHTTP tells what a request's telemetry costs: the difference to bare. Echo itself allocates once for any
// middleware.
func BenchmarkHTTP(b *testing.B) {
	o, _ := observed(b)
	handler := func(around ...echo.MiddlewareFunc) http.Handler {
		e := echo.New()
		e.Pre(around...)
		e.GET("/api/messages/:id", func(c echo.Context) error {
			c.Response().WriteHeader(http.StatusOK)
			return nil
		})
		return e
	}
	for name, h := range map[string]http.Handler{
		"bare":     handler(func(next echo.HandlerFunc) echo.HandlerFunc { return func(c echo.Context) error { return next(c) } }),
		"measured": o.Spans(handler(o.Echo())),
	} {
		b.Run(name, func(b *testing.B) {
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/api/messages/7", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
			}
		})
	}
}
