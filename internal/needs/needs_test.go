package needs

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestMySQLIsEmptyAndDropped(t *testing.T) {
	var first string
	t.Run("inner", func(t *testing.T) { first = MySQL(t) })
	if first == "" {
		t.Skip("there is none")
	}
	for raw, there := range map[string]bool{first: false, MySQL(t): true} {
		if got := exists(t, raw); got != there {
			t.Errorf("database %s: there is %v, want %v", raw, got, there)
		}
	}
}

func exists(t *testing.T, raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", u.Host, u.User.Username(), password
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var n int
	name := strings.TrimPrefix(u.Path, "/")
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?", name).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n == 1
}
