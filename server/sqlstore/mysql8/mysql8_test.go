package mysql8

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/server"
	enginesql "github.com/dolthub/go-mysql-server/sql"
	enginetypes "github.com/dolthub/go-mysql-server/sql/types"
	"github.com/go-sql-driver/mysql"
	"github.com/sirupsen/logrus"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

// fewRows bounds the rows that a statement brings along in a chain of UNION
// ALL: the engine takes twice as long for each. Every such statement is
// recorded with fewer rows, too.
const fewRows = 6

// TestStatements runs the store's contract suite on the server that there is,
// migrations included, and asks two others what they think of each statement:
// the parser of Vitess, which is that of MySQL 8.4, and an engine that speaks
// MySQL 8 and has the tables of the migrations.
func TestStatements(t *testing.T) {
	statements := recorded(t)
	if len(statements) < 100 {
		t.Fatalf("only %d statements were recorded", len(statements))
	}
	parser := grammar(t)
	engine := migrated(t)
	for _, s := range statements {
		if _, err := parser.ParseStrictDDL(s.Text); err != nil {
			t.Errorf("MySQL 8.4's grammar: %v in\n%.2000s", err, s.Text)
		}
		if strings.Count(s.Text, "UNION ALL") > fewRows {
			continue
		}
		if err := resolve(t.Context(), engine, s.Text); err != nil {
			t.Errorf("the engine: %v in\n%.2000s", err, s.Text)
		}
	}
	t.Log(len(statements), "statements")
}

// TestMariaDBOnly shows that the judges refuse what MariaDB alone takes.
func TestMariaDBOnly(t *testing.T) {
	const returning = "DELETE FROM friends WHERE user_id = ? RETURNING friend_id"
	if _, err := grammar(t).ParseStrictDDL(returning); err == nil {
		t.Error("the parser accepts", returning)
	}
	engine := migrated(t)
	for _, text := range []string{returning, "SELECT nobody FROM friends", "SELECT NEXTVAL(friends)"} {
		if err := resolve(t.Context(), engine, text); err == nil {
			t.Error("the engine accepts", text)
		}
	}
}

func grammar(t *testing.T) *sqlparser.Parser {
	t.Helper()
	parser, err := sqlparser.New(sqlparser.Options{MySQLServerVersion: "8.4.0"})
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// recorded returns what the contract suite and the migrations run.
func recorded(t *testing.T) []storetest.Statement {
	t.Helper()
	var seen storetest.Recorder
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return open(t, sqlstore.Config{MySQL: needs.MySQL(t), Wrap: seen.Wrap})
	})
	return seen.Statements()
}

func open(t *testing.T, cfg sqlstore.Config) *sqlstore.Store {
	t.Helper()
	cfg.UsernameKey = auth.Usernames{}.Key
	s, err := sqlstore.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// migrated returns an engine in memory whose tables the migrations made.
func migrated(t *testing.T) *sql.DB {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	logrus.SetOutput(io.Discard)
	// The engine takes it for a global one; in MySQL it is of the session, too.
	enginesql.SystemVariables.AddSystemVariables([]enginesql.SystemVariable{&enginesql.MysqlSystemVariable{
		Name: "innodb_lock_wait_timeout", Scope: enginesql.GetMysqlScope(enginesql.SystemVariableScope_Both), Dynamic: true,
		Type: enginetypes.NewSystemIntType("innodb_lock_wait_timeout", 1, 1073741824, false), Default: int64(50),
	}})
	tables := memory.NewDatabase("im")
	tables.EnablePrimaryKeyIndexes()
	provider := memory.NewDBProvider(tables)
	engine := sqle.NewDefault(provider)
	s, err := server.NewServer(server.Config{Protocol: "tcp", Listener: l}, engine, enginesql.NewContext, memory.NewSessionBuilder(provider), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Start() }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		<-ended
	})
	open(t, sqlstore.Config{MySQL: fmt.Sprintf("mysql://root@%s/im", l.Addr())})

	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.DBName = "tcp", l.Addr().String(), "root", "im"
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// resolve has the engine prepare a statement, for which it looks up every name.
// Two things that MySQL's manual has are not the engine's: PRIMARY as the name
// of an index (Index Hints), and PREPARE of what a variable holds.
func resolve(ctx context.Context, engine *sql.DB, text string) error {
	if verb, _, _ := strings.Cut(text, " "); verb == "PREPARE" || verb == "EXECUTE" || verb == "DEALLOCATE" {
		return nil
	}
	text = strings.ReplaceAll(text, " FORCE INDEX (PRIMARY)", "")
	s, err := engine.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	return s.Close()
}
