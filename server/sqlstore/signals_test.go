package sqlstore

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

func TestSignals(t *testing.T) {
	for engine, cfg := range map[string]func(*testing.T) Config{
		"sqlite": func(*testing.T) Config { return Config{} },
		"mysql":  func(t *testing.T) Config { return Config{MySQL: needs.MySQL(t)} },
	} {
		t.Run(engine, func(t *testing.T) {
			s, now := openTest(t, cfg(t)), time.Now()
			read := func(after int64, limit int) (bodies []string, last int64) {
				t.Helper()
				list, err := s.Signals(t.Context(), after, limit)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range list {
					bodies, last = append(bodies, x.Kind+string(x.Body)), x.ID
				}
				return bodies, last
			}
			for i, body := range []string{`[1]`, `{"a":"𠮷"}`, `"` + strings.Repeat("x", 100_000) + `"`} {
				if err := s.AddSignal(t.Context(), "k", []byte(body), now.Add(time.Duration(i)*time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
			two, last := read(0, 2)
			if !slices.Equal(two, []string{`k[1]`, `k{"a":"𠮷"}`}) {
				t.Errorf("the first two signals are %q", two)
			}
			if rest, _ := read(last, 2); len(rest) != 1 || len(rest[0]) != 100_003 {
				t.Errorf("%d signals after the first two, want the third one, whole", len(rest))
			}
			_, before := read(0, 100)
			if err := s.DeleteSignals(t.Context(), now.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			if err := s.AddSignal(t.Context(), "k", []byte(`[]`), now); err != nil {
				t.Fatal(err)
			}
			if left, id := read(0, 100); len(left) != 1 || id <= before {
				t.Errorf("after DeleteSignals: %q, want one; its id is %d, want more than %d", left, id, before)
			}
		})
	}
}

// TestBackupTo: a copy opens as a database, and an existing file is not overwritten.
// MySQL has no such backup.
func TestBackupTo(t *testing.T) {
	s := openTest(t, Config{})
	if _, err := s.CreateUser(t.Context(), chat.User{Phone: "10000", Role: chat.RoleUser}, "h"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "it's a copy.db")
	if err := s.BackupTo(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := s.BackupTo(t.Context(), file); err == nil {
		t.Error("an existing file was overwritten")
	}
	if n, err := s.Size(t.Context()); err != nil || n < 4096 {
		t.Errorf("the database has %d bytes, %v", n, err)
	}
	if _, _, err := openTest(t, Config{Path: file}).Accounts(t.Context(), chat.AccountQuery{Phone: "10000", Limit: 1}); err != nil {
		t.Errorf("read the copy: %v", err)
	}
	m := openTest(t, Config{MySQL: needs.MySQL(t)})
	if err := m.BackupTo(t.Context(), file); !errors.Is(err, ErrNoBackup) {
		t.Errorf("MySQL: error %v, want ErrNoBackup", err)
	}
}
