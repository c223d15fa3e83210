package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// migrated returns the path of a new database with all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return Open(context.Background(), Config{Path: path})
})

// openTest opens a store, by default in a new database. It closes it at the end of the
// test.
func openTest(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Path == "" && cfg.MySQL == "" {
		cfg.Path = migrated(t)
	}
	s, err := Open(t.Context(), cfg)
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

func newUser(t testing.TB, s *Store, phone string) int64 {
	t.Helper()
	u, err := s.CreateUser(t.Context(), chat.User{Phone: phone, CreatedAt: time.Now()}, "hash")
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "odd ?%41#&name")
	s := openTest(t, Config{Path: filepath.Join(folder, "im ?%41.db")})
	newUser(t, s, "+12345")
	for path, want := range map[string]os.FileMode{
		folder: 0o700, filepath.Join(folder, "im ?%41.db"): 0o600, filepath.Join(folder, "im ?%41.db-wal"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", path, got, want)
		}
	}
}

func TestConnectionsAreSetUp(t *testing.T) {
	s := openTest(t, Config{})
	for _, c := range []struct {
		pool         pool
		pragma, want string
	}{
		{s.write, "journal_mode", "wal"}, {s.write, "synchronous", "2"}, {s.write, "foreign_keys", "1"},
		{s.write, "busy_timeout", "5000"}, {s.write, "query_only", "0"}, {s.write, "secure_delete", "2"},
		{s.read, "journal_mode", "wal"}, {s.read, "query_only", "1"}, {s.read, "foreign_keys", "1"},
	} {
		var got string
		if err := c.pool.(*localPool).db.QueryRow("PRAGMA " + c.pragma).Scan(&got); err != nil || got != c.want {
			t.Errorf("%s is %q, want %q (%v)", c.pragma, got, c.want, err)
		}
	}
	if n := s.Stats().MaxOpenConnections; n != 5 {
		t.Errorf("at most %d connections, want 5: one writer and four readers", n)
	}
}

func TestReopenKeepsAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "im.db")
	s := openTest(t, Config{Path: path})
	id := newUser(t, s, "+12345")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, Config{Path: path})
	if users, err := again.Users(t.Context(), []int64{id}); err != nil || len(users) != 1 {
		t.Fatal(users, err)
	}
}

func TestOpenTwiceAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "im.db")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			s, err := Open(t.Context(), Config{Path: path})
			if err != nil {
				t.Error(err)
				return
			}
			_, err = s.CreateUser(t.Context(), chat.User{}, "")
			if err := errors.Join(err, s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOpenFails(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text")
	if err := os.WriteFile(text, []byte("this is no database, but some text of a certain length"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", folder, text, filepath.Join(text, "below a file")} {
		if s, err := Open(t.Context(), Config{Path: path}); err == nil {
			t.Errorf("Open of %q succeeded", path)
			_ = s.Close()
		}
	}
}

func TestClosedIsUnavailable(t *testing.T) {
	s := openTest(t, Config{})
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Append(t.Context(), []chat.NewMessage{{ConversationID: 1}})
	for _, err := range []error{err, s.Ping(t.Context()), s.Befriend(t.Context(), 1, 1, time.Now())} {
		if chat.KindOf(err) != chat.KindUnavailable {
			t.Errorf("error %v, want kind unavailable", err)
		}
	}
}

func TestLockedIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "im.db")
	s := openTest(t, Config{Path: path, BusyTimeout: time.Millisecond})
	id := newUser(t, s, "+12345")
	other := openTest(t, Config{Path: path})
	err := other.write.inTx(t.Context(), func(context.Context, querier) error {
		_, err := s.CreateUser(t.Context(), chat.User{Phone: "+12346"}, "hash")
		if chat.KindOf(err) != chat.KindUnavailable {
			t.Errorf("a write while another process writes: error %v, want kind unavailable", err)
		}
		users, err := s.Users(t.Context(), []int64{id})
		if err != nil || len(users) != 1 {
			t.Errorf("a read while another process writes: %v, %v; want one user", users, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	newUser(t, s, "+12346")
}

func TestDeadlineIsRecognizable(t *testing.T) {
	s := openTest(t, Config{})
	err := s.write.inTx(t.Context(), func(context.Context, querier) error { // holds the only writer
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := s.Append(ctx, []chat.NewMessage{{ConversationID: 1}})
		if !errors.Is(err, context.DeadlineExceeded) || chat.KindOf(err) != chat.KindUnavailable {
			t.Errorf("error %v, want kind unavailable, and an exceeded deadline", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A countingConnector counts the connections made through it.
type countingConnector struct {
	driver.Connector
	made *atomic.Int32
}

func (c countingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	c.made.Add(1)
	return c.Connector.Connect(ctx)
}

func TestWrapSeesEveryConnection(t *testing.T) {
	var made atomic.Int32
	s := openTest(t, Config{Wrap: func(c driver.Connector) driver.Connector { return countingConnector{c, &made} }})
	if _, err := s.Users(t.Context(), []int64{1}); err != nil {
		t.Fatal(err)
	}
	newUser(t, s, "+10000")
	const migrating = 1 // the connection that migrates, which is closed
	if got, open := int(made.Load())-migrating, s.Stats().OpenConnections; got != open || open < 2 {
		t.Errorf("%d connections were wrapped, and %d are open, want the same number, at least 2", got, open)
	}
}

// TestPingWaitsForNoUser: Ping succeeds while all connections of users are in use.
func TestPingWaitsForNoUser(t *testing.T) {
	for engine, cfg := range map[string]func(*testing.T) Config{
		"sqlite": func(*testing.T) Config { return Config{} },
		"mysql":  func(t *testing.T) Config { return Config{MySQL: needs.MySQL(t) + "?conns=4"} },
	} {
		t.Run(engine, func(t *testing.T) {
			s := openTest(t, cfg(t))
			for _, db := range dbs(s.read, s.write) {
				for range db.Stats().MaxOpenConnections {
					conn, err := db.Conn(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := s.Ping(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// dbs returns the databases of pools, each once.
func dbs(pools ...pool) (list []*sql.DB) {
	for _, p := range pools {
		var db *sql.DB
		switch p := p.(type) {
		case *localPool:
			db = p.db
		case *remotePool:
			db = p.db
		}
		if !slices.Contains(list, db) {
			list = append(list, db)
		}
	}
	return list
}

func TestSenderMayBeGone(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, Config{})
	a, b := newUser(t, s, "+10000"), newUser(t, s, "+10001")
	d, err := openDirect(ctx, s, a, b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Append(ctx, []chat.NewMessage{{ConversationID: d, SenderID: a, Content: "x", Type: chat.TypeText, ClientMsgID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.(*localPool).db.Exec("UPDATE messages SET sender_id = NULL"); err != nil {
		t.Fatal(err)
	}
	m, err := s.Message(ctx, r[0].Message.ID)
	if err != nil || m.SenderID != 0 || m.ReceiverID != 0 || m.Content != "x" {
		t.Errorf("a message without a sender: %+v, %v", m, err)
	}
	if n, err := s.Unread(ctx, b); n != 1 || err != nil {
		t.Errorf("%d unread messages, want 1: %v", n, err)
	}
	if list, err := s.Dialogs(ctx, b, 10, 0); err != nil || len(list) != 1 || list[0].UnreadCount != 1 {
		t.Errorf("dialogs %+v, want one with one unread message: %v", list, err)
	}
	err = s.RemoveMessage(ctx, chat.Removal{ID: m.ID, At: time.Now(), Decide: func(_, owner chat.Standing) (chat.AuditEntry, error) {
		if owner.UserID != 0 || owner.Role != chat.RoleUser {
			t.Errorf("RemoveMessage says that the sender is %+v, want nobody", owner)
		}
		return chat.AuditEntry{CreatedAt: time.Now()}, nil
	}})
	if err != nil {
		t.Error(err)
	}
}

// TestFullDiskStoresNothing limits the size of the file, which has the effect of a full
// disk. A batch that does not fit must not be stored in part.
func TestFullDiskStoresNothing(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, Config{})
	id := newUser(t, s, "+10000")
	d, err := openDirect(ctx, s, id, id)
	if err != nil {
		t.Fatal(err)
	}
	message := chat.NewMessage{ConversationID: d, SenderID: id, Content: strings.Repeat("x", 64<<10), Type: chat.TypeText}
	grow := func(pages string) {
		t.Helper()
		if _, err := s.write.(*localPool).db.Exec("PRAGMA max_page_count = " + pages); err != nil {
			t.Fatal(err)
		}
	}
	grow("100")
	stored := int64(0)
	for ; ; stored++ {
		r, err := s.Append(ctx, []chat.NewMessage{{ConversationID: d, SenderID: id, Content: "small"}, message})
		if err != nil {
			if chat.KindOf(err) != chat.KindUnavailable || !strings.Contains(err.Error(), "disk is full") {
				t.Fatal(err)
			}
			break
		}
		if stored > 100 {
			t.Fatal("more than 100 batches fit into 100 pages")
		}
		if r[0].Message.Seq != 2*stored+1 {
			t.Fatalf("batch %d begins with seq %d, want %d", stored, r[0].Message.Seq, 2*stored+1)
		}
	}
	_, total, err := s.Messages(ctx, chat.MessageQuery{UserID: id, ConversationID: d, Limit: 1})
	if err != nil || total != 2*stored {
		t.Fatalf("%d messages are stored, want %d: %v", total, 2*stored, err)
	}
	grow("1000000")
	r, err := s.Append(ctx, []chat.NewMessage{message})
	if err != nil || r[0].Message.Seq != 2*stored+1 {
		t.Errorf("after the limit was raised: seq %d, %v", r[0].Message.Seq, err)
	}
}

// TestRetractedContentIsOverwritten checks that the file of the database no longer
// contains the content of a recalled message.
func TestRetractedContentIsOverwritten(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "im.db")
	s := openTest(t, Config{Path: path})
	id := newUser(t, s, "+10000")
	d, err := openDirect(ctx, s, id, id)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "the words that were taken back"
	r, err := s.Append(ctx, []chat.NewMessage{{ConversationID: d, SenderID: id, Content: secret, Type: chat.TypeText}})
	if err != nil {
		t.Fatal(err)
	}
	inFile := func() bool {
		if _, err := s.write.(*localPool).db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(file, []byte(secret))
	}
	if !inFile() {
		t.Fatal("the message is not in the file")
	}
	if err := s.RetractMessage(ctx, r[0].Message.ID, true, time.Now()); err != nil {
		t.Fatal(err)
	}
	if inFile() {
		t.Error("the recalled message is still in the file")
	}
}

// TestStatementsAreKept: a connection keeps prepared statements for the next
// transaction.
func TestStatementsAreKept(t *testing.T) {
	ctx := t.Context()
	s := openTest(t, Config{})
	id := newUser(t, s, "+10000")
	d, err := openDirect(ctx, s, id, id)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int
	for range 2 {
		if _, err := s.Append(ctx, []chat.NewMessage{{ConversationID: d, SenderID: id, Content: "x", Type: chat.TypeText}}); err != nil {
			t.Fatal(err)
		}
		conn, err := s.write.(*localPool).db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		err = conn.Raw(func(c any) error {
			counts = append(counts, len(c.(*keeper).stmts))
			return nil
		})
		if err := errors.Join(err, conn.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if counts[0] < 5 || counts[1] != counts[0] {
		t.Errorf("the connection has %v statements after one message and after two, want the same number, at least 5", counts)
	}
}

// TestTransactionsEndWithTheirContext: a transaction is not committed if its context was
// cancelled.
func TestTransactionsEndWithTheirContext(t *testing.T) {
	s := openTest(t, Config{})
	id := newUser(t, s, "+10000")
	ctx, cancel := context.WithCancel(t.Context())
	err := s.write.inTx(ctx, func(ctx context.Context, q querier) error {
		cancel()
		return touch(ctx, q, id)
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	var seen int64
	if err := row(t.Context(), s.read, "SELECT last_seen FROM users WHERE id = ?", []any{id}, &seen); err != nil || seen != 0 {
		t.Errorf("last_seen is %d, want 0, as before the transaction: %v", seen, err)
	}
	if err := s.SetLastSeen(t.Context(), []int64{id}, time.Now()); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}

func TestPanicReleasesTheWriter(t *testing.T) {
	s := openTest(t, Config{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("inTx did not pass the panic on")
			}
		}()
		_ = s.write.inTx(t.Context(), func(ctx context.Context, tx querier) error {
			_, err := exec(ctx, tx, "DELETE FROM users")
			panic(fmt.Sprint("in the middle: ", err))
		})
	}()
	newUser(t, s, "+12345")
}

// openDirect returns the conversation of two users, and creates it if needed. It makes no
// request.
func openDirect(ctx context.Context, s *Store, a, b int64) (int64, error) {
	o, err := s.EnsureDirect(ctx, chat.Opening{From: a, To: b, At: time.Now()})
	return o.ConversationID, err
}
