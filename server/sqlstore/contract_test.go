package sqlstore

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

// TestStore runs the contract suite, and has SQLite explain every statement
// that was run on the way: none may read a whole table.
func TestStore(t *testing.T) {
	seen := new(storetest.Recorder)
	storetest.Run(t, func(t *testing.T) storetest.Store {
		return openTest(t, Config{UsernameKey: auth.Usernames{}.Key, Wrap: seen.Wrap})
	})
	s := openTest(t, Config{})
	explained := 0
	for _, q := range seen.Statements() {
		switch verb, _, _ := strings.Cut(q.Text, " "); verb {
		case "SELECT", "INSERT", "UPDATE", "DELETE", "WITH":
		default:
			continue
		}
		if strings.Contains(q.Text, "goose") {
			continue
		}
		explained++
		for _, step := range explain(t, s, q.Text) {
			if scansTable(step) {
				t.Errorf("%s in\n%.2000s", step, q.Text)
			}
		}
	}
	if explained == 0 {
		t.Error("no statement was recorded")
	}
}

func explain(t *testing.T, s *Store, query string) []string {
	t.Helper()
	plan, err := collect(t.Context(), explainer{s.write}, func(r scanner) (string, error) {
		var id, parent, unused int
		var step string
		return step, r.Scan(&id, &parent, &unused, &step)
	}, query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatal(query, err)
	}
	return plan
}

// An explainer asks for plans in place of rows.
type explainer struct{ pool }

func (e explainer) prepare(ctx context.Context, query string) (statement, error) {
	return e.pool.prepare(ctx, "EXPLAIN QUERY PLAN "+query)
}

// scansTable tells the scan of a table from one of rows that a statement brings
// or chose itself: those are called k, f and recent.
func scansTable(step string) bool {
	what, ok := strings.CutPrefix(step, "SCAN ")
	return ok && !slices.Contains([]string{"k", "f", "recent", "CONSTANT ROW"}, what) && !strings.HasSuffix(what, "-ROW VALUES CLAUSE")
}
