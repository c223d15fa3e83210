package sqlstore

import (
	"context"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

// tables returns the names of all tables except those that migrations fill.
func tables(t *testing.T, s *Store) []string {
	t.Helper()
	names, err := collect(t.Context(), s.read, func(r scanner) (name string, err error) {
		return name, r.Scan(&name)
	}, `SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name NOT IN ('goose_db_version', 'search_progress')`)
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	return names
}

// empty deletes all rows, which is much faster than creating another database.
func empty(t *testing.T, s *Store) {
	t.Helper()
	conn, err := s.write.(*remotePool).db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	statements := []string{"SET FOREIGN_KEY_CHECKS = 0"}
	for _, table := range tables(t, s) {
		statements = append(statements, "DELETE FROM "+table)
	}
	for _, statement := range append(statements, "SET FOREIGN_KEY_CHECKS = 1") {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(statement, err)
		}
	}
}

// TestMySQL runs the contract suite on a real server, and checks with its query plans
// that none of the suite's statements reads a whole table.
func TestMySQL(t *testing.T) {
	where, seen := needs.MySQL(t), new(storetest.Recorder)
	storetest.Run(t, func(t *testing.T) storetest.Store {
		s := openTest(t, Config{MySQL: where, Wrap: seen.Wrap, UsernameKey: auth.Usernames{}.Key})
		// The suite tests results, not times: up to 64 of its writers wait for the same
		// rows, but a node has only 2. TestServerHangs tests the times.
		s.write.(*remotePool).stall = time.Minute
		empty(t, s)
		return s
	})
	s := openTest(t, Config{MySQL: where})
	fill(t, s)
	for _, q := range looking(seen.Statements()) {
		for _, step := range explainMySQL(t, s, q) {
			if (step.kind == "ALL" || step.kind == "index") && !strings.HasPrefix(step.table, "<") && step.table != "k" {
				t.Errorf("a statement reads the whole table %s:\n%.300s", step.table, q.Text)
			}
		}
	}
}

// fill stores so many rows that the server does not choose a scan because a table is
// small.
func fill(t *testing.T, s *Store) {
	t.Helper()
	db := s.write.(*remotePool).db
	const digits = `(SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4
		UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9)`
	const numbers = `(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n
		FROM ` + digits + ` a, ` + digits + ` b, ` + digits + ` c, ` + digits + ` e) x`
	for _, statement := range []string{
		`INSERT INTO users (id, phone, username, nickname, bio, avatar, role, password_hash, search, last_seen, created_at)
			SELECT 1000000 + n, CONCAT('p', n), CONCAT('u', n), '', '', '', '', '', '', 0, 0 FROM ` + numbers,
		`INSERT INTO user_parts (part, user_id) SELECT username, id FROM users WHERE id >= 1000000`,
		`INSERT INTO file_bytes (owner_id, bytes) SELECT id, 0 FROM users WHERE id >= 1000000`,
		`INSERT INTO conversations (id, kind, title, owner_id, last_seq, pair_low, pair_high, created_at)
			SELECT 1000000 + n, 'direct', '', 0, 5, 1000000 + n, 1000000 + MOD(n + 1, 10000), 0 FROM ` + numbers,
		`INSERT INTO members (conversation_id, user_id, role, muted, state, read_seq, delivered_seq, joined_at)
			SELECT id, pair_low, '', 0, 0, 0, 0, 0 FROM conversations WHERE id >= 1000000`,
		`INSERT INTO members (conversation_id, user_id, role, muted, state, read_seq, delivered_seq, joined_at)
			SELECT id, pair_high, '', 0, 0, 0, 0, 0 FROM conversations WHERE id >= 1000000`,
		`INSERT INTO messages (conversation_id, seq, sender_id, content, type, reply_to_id, client_msg_id, created_at, updated_at)
			SELECT id, d + 1, pair_low, '', 'text', 0, CONCAT(id, d), 0, 0 FROM conversations, ` + digits + ` y WHERE id >= 1000000 AND d < 5`,
		`INSERT INTO friends (user_id, friend_id, created_at) SELECT pair_low, pair_high, 0 FROM conversations WHERE id >= 1000000`,
		`INSERT INTO blocks (user_id, blocked_id, created_at) SELECT pair_low, pair_high, 0 FROM conversations WHERE id >= 1000000`,
		`INSERT INTO privacy (user_id, messages_from, groups_from, calls_from) SELECT id, '', '', '' FROM users WHERE id >= 1000000`,
		`INSERT INTO requests (user_id, from_id, kind, conversation_id, state, created_at)
			SELECT pair_low, pair_high, 'message', id, MOD(id, 2), 0 FROM conversations WHERE id >= 1000000`,
		`INSERT INTO deleted_groups (conversation_id) SELECT id FROM users WHERE id >= 1000000`,
		`INSERT INTO sessions (id, user_id, refresh_hash, created_at, expires_at) SELECT id, id, '', 0, 0 FROM users WHERE id >= 1000000`,
		`INSERT INTO calls (id, type, state, caller_id, callee_id, caller_candidates, callee_candidates, created_at, answered_at,
			connected_at, ended_at, reason, ended_by, signals) SELECT id, '', '', id, id, 0, 0, 0, 0, 0, id, '', 0, '' FROM users`,
		`INSERT INTO call_legs (user_id, call_id, conn, session, joined, up, until) SELECT id, id, id, '', 0, 0, id FROM users`,
		`INSERT INTO files (owner_id, name, size, content_type, sha256, blob_key, created_at) SELECT id, '', 0, '', '', '', 0 FROM users`,
		`INSERT INTO search_blocks (conversation_id, last_seq, first_id, last_id, grams)
			SELECT id, 32 * (d + 1), id, id, '' FROM conversations, ` + digits + ` y WHERE id >= 1000000 AND d < 3`,
		`INSERT INTO hidden_messages (conversation_id, seq, user_id) SELECT id, d, pair_low FROM conversations, ` + digits + ` y WHERE id >= 1000000 AND d < 3`,
		`INSERT INTO bans (user_id, reason, until, banned_by, created_at) SELECT id, '', id, 0, 0 FROM users WHERE id >= 1000000`,
		`INSERT INTO audit (level, module, message, user_id, target, ip, created_at) SELECT id, id, '', id, id, '', 0 FROM users`,
		`INSERT INTO reports (reporter_id, user_id, message_id, reason, comment, content, pending, action, handled_by, handled_at, created_at)
			SELECT id, id, id, '', '', '', IF(MOD(id, 100) = 0, 1, NULL), '', 0, 0, 0 FROM users`,
		`INSERT INTO notices (user_id, kind, message, created_at) SELECT id, '', '', 0 FROM users`,
		`INSERT INTO notice_marks (user_id, told) SELECT id, 0 FROM users`,
		`INSERT INTO signals (kind, body, created_at) SELECT '', '', id FROM users`,
		`ANALYZE TABLE ` + strings.Join(tables(t, s), ", "),
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(statement, err)
		}
	}
}

// A planStep says which table a step of a plan reads, and how.
type planStep struct{ table, kind string }

func explainMySQL(t *testing.T, s *Store, q storetest.Statement) (plan []planStep) {
	t.Helper()
	rows, err := s.read.(*remotePool).db.Query("EXPLAIN "+q.Text, q.Args...)
	if err != nil {
		t.Fatal(q.Text, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(*string)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		text := func(column string) string {
			if v := *values[slices.Index(columns, column)].(**string); v != nil {
				return *v
			}
			return ""
		}
		plan = append(plan, planStep{table: text("table"), kind: text("type")})
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// looking returns the statements that search for rows.
func looking(all []storetest.Statement) (list []storetest.Statement) {
	for _, s := range all {
		verb, _, _ := strings.Cut(s.Text, " ")
		looks := slices.Contains([]string{"SELECT", "UPDATE", "DELETE"}, verb) && strings.Contains(s.Text, " WHERE ") || strings.Contains(s.Text, " JOIN ")
		if looks && !strings.Contains(s.Text, "goose") && !strings.Contains(s.Text, "information_schema") {
			list = append(list, s)
		}
	}
	return list
}

// nodes returns n stores on one database.
func nodes(t *testing.T, n int) []*Store {
	t.Helper()
	where := needs.MySQL(t)
	stores := make([]*Store, n)
	var wg sync.WaitGroup
	for i := range stores { // all at once, on an empty database
		wg.Go(func() {
			var err error
			if stores[i], err = Open(t.Context(), Config{MySQL: where}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, s := range stores {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return stores
}

// TestNodesWriteTheSameConversations sends every message through every node at once. It
// must be stored once, without a gap in seq.
func TestNodesWriteTheSameConversations(t *testing.T) {
	const senders, rounds, perRound = 12, 6, 8
	stores := nodes(t, 3)
	var users, groups []int64
	for i := range senders {
		users = append(users, newUser(t, stores[0], fmt.Sprint("+1000", i)))
	}
	for range 4 {
		c, err := stores[0].CreateGroup(t.Context(), "", users[0], users, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, c.ID)
	}
	var mu sync.Mutex
	ids := make(map[string]int64)
	fresh := make(map[string]int)
	var wg sync.WaitGroup
	for node, s := range stores {
		for i, sender := range users {
			wg.Go(func() {
				for round := range rounds {
					batch := make([]chat.NewMessage, perRound)
					for k := range batch {
						name := fmt.Sprint(i, ".", round, ".", k)
						batch[k] = chat.NewMessage{
							ConversationID: groups[(i+k*(node+1))%len(groups)], SenderID: sender, Content: name,
							Type: chat.TypeText, ClientMsgID: name, CreatedAt: time.Now(),
						}
					}
					results, err := s.Append(t.Context(), batch)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					for k, r := range results {
						name := batch[k].ClientMsgID
						if id := ids[name]; r.Err != nil || id != 0 && id != r.Message.ID {
							t.Errorf("message %s was stored with id %d, and now the result is %+v", name, id, r)
						}
						ids[name] = r.Message.ID
						if !r.Duplicate {
							fresh[name]++
						}
					}
					mu.Unlock()
					_ = s.Advance(t.Context(), []chat.Mark{{ConversationID: groups[round%len(groups)], UserID: sender, Read: int64(round)}})
				}
			})
		}
	}
	wg.Wait()
	for name, n := range fresh {
		if n != 1 {
			t.Errorf("message %s was reported as new %d times, want 1", name, n)
		}
	}
	total := 0
	for _, group := range groups {
		list, _, err := stores[1].Messages(t.Context(), chat.MessageQuery{UserID: users[0], ConversationID: group, Ascending: true, Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range list {
			if m.Seq != int64(i+1) || ids[m.Content] != m.ID {
				t.Fatalf("message %d of group %d is %+v", i, group, m)
			}
		}
		total += len(list)
	}
	if want := senders * rounds * perRound; total != want || len(fresh) != want {
		t.Errorf("%d messages are stored, and %d were reported as new, want %d", total, len(fresh), want)
	}
}

// TestIDsInSteps: on a cluster, the ids of one node differ by more than 1.
func TestIDsInSteps(t *testing.T) {
	where := needs.MySQL(t)
	s := openTest(t, Config{MySQL: where, Wrap: func(c driver.Connector) driver.Connector {
		return steppingConnector{c}
	}})
	id := newUser(t, s, "+10000")
	d, err := openDirect(t.Context(), s, id, id)
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		batch := make([]chat.NewMessage, 5)
		for i := range batch {
			batch[i] = chat.NewMessage{ConversationID: d, SenderID: id, Content: fmt.Sprint(round, i), Type: chat.TypeText}
		}
		results, err := s.Append(t.Context(), batch)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			m, err := s.Message(t.Context(), r.Message.ID)
			if err != nil || m.Content != batch[i].Content || m.Seq != r.Message.Seq {
				t.Errorf("Append returned %+v, but stored is %+v, %v", r.Message, m, err)
			}
		}
		if step := results[1].Message.ID - results[0].Message.ID; step != 7 {
			t.Errorf("ids differ by %d, want 7", step)
		}
	}
}

type steppingConnector struct{ driver.Connector }

func (c steppingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err == nil {
		_, err = conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION auto_increment_increment = 7, auto_increment_offset = 3", nil)
	}
	return conn, err
}

func TestEngineAndSlowQueries(t *testing.T) {
	lite, my := openTest(t, Config{}), openTest(t, Config{MySQL: needs.MySQL(t)})
	if lite.Engine() != "sqlite" || my.Engine() != "mysql" {
		t.Errorf("engines %q and %q, want sqlite and mysql", lite.Engine(), my.Engine())
	}
	if n, err := lite.SlowQueries(t.Context()); n != 0 || err != nil {
		t.Errorf("SQLite has %d slow queries, want 0: %v", n, err)
	}
	before, err := my.SlowQueries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := my.read.(*remotePool).db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{"SET SESSION long_query_time = 0", "SELECT COUNT(*) FROM users"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := my.SlowQueries(t.Context()); err != nil || after <= before {
		t.Errorf("%d slow queries before a slow one, %d after it: %v", before, after, err)
	}
}

func TestMySQLOverTLS(t *testing.T) {
	where := needs.MySQL(t)
	s := openTest(t, Config{MySQL: where + "?ca=" + url.QueryEscape(needs.CA(t))})
	var name, cipher string
	if err := row(t.Context(), s.read, "SHOW SESSION STATUS LIKE 'Ssl_cipher'", nil, &name, &cipher); err != nil || cipher == "" {
		t.Errorf("the connection is not encrypted: cipher %q, %v", cipher, err)
	}
	_, err := Open(t.Context(), Config{MySQL: where + "?tls=true"})
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("a certificate of an unknown authority: error %v, want UnknownAuthorityError", err)
	}
}

func TestMySQLRefusesWrongPasswords(t *testing.T) {
	u, err := url.Parse(needs.MySQL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("im", "hunter2-secret")
	_, err = Open(t.Context(), Config{MySQL: u.String()})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error %v, want one without the password", err)
	}
}
