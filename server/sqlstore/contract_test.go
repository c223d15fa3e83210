package sqlstore

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

// TestStore runs the contract suite, and checks with SQLite's query plans that none of
// its statements reads a whole table.
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
				t.Errorf("a statement reads a whole table (%s):\n%.2000s", step, q.Text)
			}
		}
	}
	if explained == 0 {
		t.Error("the recorder has no statements to explain")
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

// An explainer prepares statements that return the plan of a query.
type explainer struct{ pool }

func (e explainer) prepare(ctx context.Context, query string) (statement, error) {
	return e.pool.prepare(ctx, "EXPLAIN QUERY PLAN "+query)
}

// scansTable reports whether a step of a plan scans a table. Scans of k, f and recent do
// not count: statements give these names to rows that they contain or have selected.
func scansTable(step string) bool {
	what, ok := strings.CutPrefix(step, "SCAN ")
	return ok && !slices.Contains([]string{"k", "f", "recent", "CONSTANT ROW"}, what) && !strings.HasSuffix(what, "-ROW VALUES CLAUSE")
}
