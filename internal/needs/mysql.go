package needs

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// cleanupTimeout bounds the removal of a test's database.
const cleanupTimeout = 30 * time.Second

// MySQL creates an empty database on the MySQL or MariaDB server, drops it when t ends, and returns its URL:
// mysql://user:password@host:port/name.
func MySQL(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(env(t, "MySQL or MariaDB", "IM_TEST_MYSQL"))
	if err != nil {
		t.Fatal("IM_TEST_MYSQL is not a URL")
	}
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User = "tcp", u.Host, u.User.Username()
	cfg.Passwd, _ = u.User.Password()
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	name := strings.ReplaceAll(random(), "-", "_")
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
		defer cancel()
		if _, err := db.ExecContext(ctx, "DROP DATABASE "+name); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	u.Path = "/" + name
	return u.String()
}
