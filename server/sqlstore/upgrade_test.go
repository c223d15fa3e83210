package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
)

// lastReleased is the schema version of the last release.
const lastReleased = 3

// upgraded runs statements on a database with the schema of lastReleased, opens it, which
// upgrades it, and runs test: once for each engine.
func upgraded(t *testing.T, statements []string, test func(*testing.T, *Store)) {
	t.Helper()
	upgradedFrom(t, lastReleased, statements, test)
}

// upgradedFrom is upgraded for another version of the schema.
func upgradedFrom(t *testing.T, version int64, statements []string, test func(*testing.T, *Store)) {
	t.Helper()
	for engine, open := range map[string]func(*testing.T) (Config, *sql.DB, *dialect){"sqlite": oldSQLite, "mysql": oldMySQL} {
		t.Run(engine, func(t *testing.T) {
			cfg, db, d := open(t)
			defer db.Close()
			cfg.UsernameKey = auth.Usernames{}.Key
			p, err := d.provider(db, nil, cfg.UsernameKey)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), version); err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err := db.Exec(s); err != nil {
					t.Fatal(s, err)
				}
			}
			test(t, openTest(t, cfg))
		})
	}
}

func oldSQLite(t *testing.T) (Config, *sql.DB, *dialect) {
	t.Helper()
	cfg := Config{Path: filepath.Join(t.TempDir(), "im.db")}
	connector, err := sqlite.NewConnector(sqliteDSN(cfg.Path, cfg, "immediate", false))
	if err != nil {
		t.Fatal(err)
	}
	return cfg, sql.OpenDB(connector), sqliteDialect
}

func oldMySQL(t *testing.T) (Config, *sql.DB, *dialect) {
	t.Helper()
	cfg := Config{MySQL: needs.MySQL(t)}
	u, err := parseMySQL(cfg.MySQL)
	if err != nil {
		t.Fatal(err)
	}
	connector, err := u.connector(0)
	if err != nil {
		t.Fatal(err)
	}
	return cfg, sql.OpenDB(connector), mysqlDialect
}

func TestSessionsOutliveTheUpgrade(t *testing.T) {
	upgraded(t, []string{
		`INSERT INTO users (id, phone, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (1, '10000', '', '', '', 'user', '', '', 0, 0)`,
		`INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) VALUES ('s', 1, x'6F6C64', 1, 2000000)`,
	}, func(t *testing.T, s *Store) {
		x, err := s.Session(t.Context(), "s")
		if err != nil || x.UserID != 1 || string(x.RefreshHash) != "old" || !x.RotatedAt.IsZero() {
			t.Errorf("the session is %+v, %v", x, err)
		}
		if err := s.RotateSession(t.Context(), "s", []byte("old"), []byte("new"), time.Now(), time.Now()); err != nil {
			t.Errorf("rotate the session: %v", err)
		}
	})
}

// TestPeopleAreFoundAfterTheUpgrade searches for users who registered before names had an
// index.
func TestPeopleAreFoundAfterTheUpgrade(t *testing.T) {
	statements := []string{`INSERT INTO users (id, phone, username, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
		VALUES (5000, '10000', 'Zoë', 'Käthe', '', '', 'user', '', 'zoë', 0, 0)`}
	for i := range 30 { // more than one statement handles
		statements = append(statements, fmt.Sprintf(`INSERT INTO users (id, phone, username, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (%d, '2%04d', 'user%d', '%s', '', '', 'user', '', '', 0, 0)`, i+1, i, i, strings.Repeat("long ", 20)))
	}
	upgraded(t, statements, func(t *testing.T, s *Store) {
		for q, want := range map[string]int{"OË": 1, "käth": 1, "user": 30, "user29": 1, "long long": 30, "nobody": 0, "10000": 1} {
			if found, err := s.SearchUsers(t.Context(), q, 100, 0); err != nil || len(found) != want {
				t.Errorf("%q finds %d, want %d: %v", q, len(found), want, err)
			}
		}
		nickname := "Käte"
		if err := s.UpdateUser(t.Context(), 5000, chat.Profile{Nickname: &nickname}); err != nil {
			t.Error(err)
		}
		for q, want := range map[string]int{"kät": 1, "käthe": 0, "zoë": 1} {
			if found, err := s.SearchUsers(t.Context(), q, 100, 0); err != nil || len(found) != want {
				t.Errorf("%q finds %d after a change of the nickname, want %d: %v", q, len(found), want, err)
			}
		}
	})
}

// TestUsernamesHaveKeysAfterTheUpgrade: if two usernames count as equal after the upgrade,
// the older account keeps its name, and the other one gets a suffix.
func TestUsernamesHaveKeysAfterTheUpgrade(t *testing.T) {
	add := func(id int, username string) string {
		return fmt.Sprintf(`INSERT INTO users (id, phone, username, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (%d, '1%04d', %s, '', '', '', 'user', '', '', 0, 0)`, id, id, username)
	}
	upgraded(t, []string{
		add(1, "'Ünal'"), add(2, "'ＡＤＡ'"), add(3, "'ada'"), add(4, "NULL"), add(5, "NULL"), add(6, "'bob'"),
	}, func(t *testing.T, s *Store) {
		for username, want := range map[string]int64{"ünal": 1, "ÜNAL": 1, "Ada": 2, "ada": 2, "ada#3": 3, "BOB": 6} {
			if u, err := s.UserByLogin(t.Context(), "", username); err != nil || u.ID != want {
				t.Errorf("username %q belongs to user %d, want %d: %v", username, u.ID, want, err)
			}
		}
		for _, phone := range []string{"10002", "10003", "10004"} {
			if _, err := s.UserByLogin(t.Context(), phone, ""); err != nil {
				t.Errorf("login by phone %s: %v", phone, err)
			}
		}
		if _, err := s.UserByLogin(t.Context(), "", ""); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("a login without phone and username: error %v, want ErrNotFound", err)
		}
		if _, err := s.CreateUser(t.Context(), chat.User{Phone: "20000", Username: "ÜNAL"}, ""); !errors.Is(err, chat.ErrConflict) {
			t.Errorf("a username that is taken: error %v, want ErrConflict", err)
		}
	})
}

// TestPeopleBlockEachOtherAfterTheUpgrade blocks a user in a conversation from before
// blocks existed.
func TestPeopleBlockEachOtherAfterTheUpgrade(t *testing.T) {
	var statements []string
	for id := 1; id <= 2; id++ {
		statements = append(statements, fmt.Sprintf(`INSERT INTO users (id, phone, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (%d, '1000%d', '', '', '', 'user', '', '', 0, 0)`, id, id))
	}
	statements = append(statements, `INSERT INTO conversations (id, kind, title, owner_id, last_seq, pair_low, pair_high, created_at)
			VALUES (7, 'direct', '', 0, 0, 1, 2, 0)`,
		`INSERT INTO members (conversation_id, user_id, role, muted, state, read_seq, delivered_seq, joined_at)
			VALUES (7, 1, 'member', 0, 0, 0, 0, 0), (7, 2, 'member', 0, 0, 0, 0, 0)`,
		`INSERT INTO friends (user_id, friend_id, created_at) VALUES (1, 2, 0)`)
	upgraded(t, statements, func(t *testing.T, s *Store) {
		refused := func() error {
			r, err := s.Append(t.Context(), []chat.NewMessage{{ConversationID: 7, SenderID: 2, Type: chat.TypeText, Content: "x"}})
			if err != nil {
				t.Fatal(err)
			}
			return r[0].Err
		}
		if err := refused(); err != nil {
			t.Errorf("a message before the block: %v", err)
		}
		if err := s.Block(t.Context(), 1, 2, 10, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := refused(); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("a message of the blocked user: error %v, want ErrNotFound", err)
		}
		if r, err := s.Relation(t.Context(), 1, 2); err != nil || r.Added || !r.Blocked {
			t.Errorf("the relation is %+v, want only Blocked: %v", r, err)
		}
	})
}

// TestTheStaffActsAfterTheUpgrade changes the role of a user from before the upgrade, bans
// them, and sends a notice.
func TestTheStaffActsAfterTheUpgrade(t *testing.T) {
	upgraded(t, []string{
		`INSERT INTO users (id, phone, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (1, '10000', '', '', '', 'user', '', '', 0, 1)`,
	}, func(t *testing.T, s *Store) {
		after, _, err := s.ChangeStanding(t.Context(), chat.StandingChange{UserID: 1, Decide: func(_ chat.Standing, to *chat.Standing, _ int) (chat.AuditEntry, error) {
			to.Role, to.Ban = chat.RoleModerator, &chat.Ban{Reason: "spam"}
			return chat.AuditEntry{Message: "both"}, nil
		}})
		if err != nil || after.Role != chat.RoleModerator {
			t.Errorf("the standing is %+v, want a moderator: %v", after, err)
		}
		found, total, err := s.Accounts(t.Context(), chat.AccountQuery{Status: chat.AccountBanned, Limit: 10})
		if err != nil || total != 1 || found[0].ID != 1 || found[0].Role != chat.RoleModerator {
			t.Errorf("banned accounts are %+v, want user 1, a moderator: %v", found, err)
		}
		if _, total, err := s.Audit(t.Context(), chat.AuditQuery{BeforeID: 1 << 62, Limit: 1}); err != nil || total != 1 {
			t.Errorf("the audit has %d entries, want 1: %v", total, err)
		}
		if _, err := s.AddNotice(t.Context(), chat.Notice{Message: "hello", CreatedAt: time.Now()}, chat.AuditEntry{CreatedAt: time.Now()}); err != nil {
			t.Errorf("add a notice: %v", err)
		}
		if got, err := s.Notices(t.Context(), 1, time.Time{}, 10); err != nil || len(got) != 1 {
			t.Errorf("notices %v, want one: %v", got, err)
		}
	})
}

// TestMessagesAreFoundAfterTheUpgrade finds messages from before the search existed, at
// once and after each step of indexing them.
func TestMessagesAreFoundAfterTheUpgrade(t *testing.T) {
	statements := []string{
		`INSERT INTO users (id, phone, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (1, '10000', '', '', '', 'user', '', '', 0, 0)`,
		`INSERT INTO conversations (id, kind, title, owner_id, last_seq, pair_low, pair_high, created_at) VALUES (1, 'direct', '', 0, 100, 1, 1, 0)`,
		`INSERT INTO members (conversation_id, user_id, role, muted, state, read_seq, delivered_seq, joined_at) VALUES (1, 1, 'member', 0, 0, 0, 0, 0)`,
	}
	for i := 1; i <= 100; i++ {
		statements = append(statements, fmt.Sprintf(`INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, created_at, updated_at)
			VALUES (1, %d, 1, 'Grüße 天气 %d', 'text', 0, 1, 1)`, i, i))
	}
	upgraded(t, statements, func(t *testing.T, s *Store) {
		find := func(q string, want int) {
			t.Helper()
			f, err := s.SearchMessages(t.Context(), chat.MessageSearch{UserID: 1, Text: q, Limit: 200})
			if err != nil || len(f.Messages) != want {
				t.Errorf("%q finds %d, want %d: %v", q, len(f.Messages), want, err)
			}
		}
		for looked := 0; ; {
			find("GRÜSSE", 0) // ß does not match ss
			find("GRÜßE", 100)
			find("天气", 100)
			find("天气 77", 1)
			find("天 9", 19)
			done, err := s.IndexMessages(t.Context(), time.Now(), 40)
			if err != nil {
				t.Fatal(err)
			}
			if looked += done.Messages; done.Messages == 0 {
				if looked != 100 {
					t.Errorf("%d messages were indexed, want 100", looked)
				}
				break
			}
		}
		if n, err := one(t.Context(), s.read, scanID, `SELECT COUNT(*) FROM search_blocks`); err != nil || n != 3 {
			t.Errorf("%d blocks of the index, want 3: %v", n, err)
		}
		r, err := s.Receipts(t.Context(), 1, 1, time.Now())
		if err != nil || len(r) != 0 {
			t.Errorf("receipts %v, want none: %v", r, err)
		}
	})
}

// TestBansHaveARoleAfterTheUpgrade: bans get the current role of the user who made them,
// or none if that account does not exist.
func TestBansHaveARoleAfterTheUpgrade(t *testing.T) {
	var statements []string
	for id, role := range []string{"user", "super_admin", "user", "user", "user"} {
		statements = append(statements, fmt.Sprintf(`INSERT INTO users (id, phone, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			VALUES (%d, '1000%d', '', '', '', '%s', '', '', 0, 1)`, id+1, id, role))
	}
	for user, by := range map[int]int{1: 0, 3: 2, 4: 5, 5: 4711} {
		statements = append(statements, fmt.Sprintf(`INSERT INTO bans (user_id, reason, until, banned_by, created_at) VALUES (%d, '', 0, %d, 1)`, user, by))
	}
	upgradedFrom(t, 21, statements, func(t *testing.T, s *Store) {
		for user, want := range map[int64]chat.AccountRole{1: chat.Operator().Role, 3: chat.RoleSuperAdmin, 4: chat.RoleUser, 5: ""} {
			if b, err := s.Ban(t.Context(), user); err != nil || b.ByRole != want {
				t.Errorf("the ban of user %d has ByRole %q, want %q: %v", user, b.ByRole, want, err)
			}
		}
	})
}

// TestTheSchemaIsKept: with KeepSchema, a database of an older version is refused and not
// upgraded. A new database still gets its schema.
func TestTheSchemaIsKept(t *testing.T) {
	for engine, open := range map[string]func(*testing.T) (Config, *sql.DB, *dialect){"sqlite": oldSQLite, "mysql": oldMySQL} {
		t.Run(engine, func(t *testing.T) {
			cfg, db, d := open(t)
			defer db.Close()
			p, err := d.provider(db, nil, strings.ToLower)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.UpTo(t.Context(), 21); err != nil {
				t.Fatal(err)
			}
			keeps := cfg
			keeps.KeepSchema = true
			if s, err := Open(t.Context(), keeps); !errors.Is(err, ErrOldSchema) {
				t.Errorf("Open returned %v, %v; want ErrOldSchema", s, err)
			}
			if v, err := p.GetDBVersion(t.Context()); v != 21 || err != nil {
				t.Errorf("the schema has version %d, want 21: %v", v, err)
			}
			openTest(t, cfg)
			newUser(t, openTest(t, keeps), "+10000")
			fresh, other, _ := open(t)
			defer other.Close()
			fresh.KeepSchema = true
			newUser(t, openTest(t, fresh), "+10000")
		})
	}
}
