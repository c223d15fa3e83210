package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

// one returns a message that is stored in one round trip.
func (p *pair) one(clientMsgID string) []chat.NewMessage {
	m := p.message("x")
	m.ClientMsgID, m.ReceiverID = clientMsgID, p.users[1]
	return []chat.NewMessage{m}
}

// TestNoConnectionFails: a message waits for a connection no longer than for an answer.
func TestNoConnectionFails(t *testing.T) {
	p := newPair(t, "conns=2")
	for range 2 {
		conn, err := p.write.(*remotePool).db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	began := time.Now()
	_, err := p.Append(t.Context(), p.one("1"))
	if took := time.Since(began); chat.KindOf(err) != chat.KindUnavailable || took > 2*stall {
		t.Errorf("%v after %s, want %s within %s", err, took, chat.KindUnavailable, 2*stall)
	}
}

// TestLockedConversation: while another transaction holds the lock of a conversation, its
// messages are refused before the connection is given up, so that none is stored later.
func TestLockedConversation(t *testing.T) {
	p := newPair(t, "")
	conn, err := p.write.(*remotePool).db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "START TRANSACTION; UPDATE conversations SET title = 'x' WHERE id = ?", p.conversation); err != nil {
		t.Fatal(err)
	}
	_, err = p.Append(t.Context(), p.one("1"))
	e, ok := errors.AsType[*chat.Error](err)
	if !ok || e.Kind != chat.KindUnavailable || !strings.Contains(e.Why, "nothing was stored") {
		t.Errorf("%+v", err)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Append(t.Context(), p.one("1")); err != nil || r[0].Duplicate || r[0].Message.Seq != 1 {
		t.Errorf("when the lock is free: %+v, %v", r, err)
	}
}

// TestErrorsOfTheCommit: a cluster's node may answer a COMMIT with an error and have
// committed all the same. The message is found then.
func TestErrorsOfTheCommit(t *testing.T) {
	for _, number := range []uint16{1047, 1180, 1290, 1317} {
		t.Run(strconv.Itoa(int(number)), func(t *testing.T) {
			p := &pair{Store: openTest(t, Config{MySQL: needs.MySQL(t), Wrap: func(c driver.Connector) driver.Connector {
				return lyingConnector{c, number}
			}})}
			p.users = [2]int64{newUser(t, p.Store, "+10000"), newUser(t, p.Store, "+10001")}
			var err error
			if p.conversation, err = openDirect(t.Context(), p.Store, p.users[0], p.users[1]); err != nil {
				t.Fatal(err)
			}
			r, err := p.Append(t.Context(), p.one("1"))
			if err != nil || r[0].Err != nil || r[0].Duplicate || r[0].Message.Seq != 1 {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}

// A lyingConnector's connections answer transactions in one round trip with an error after
// they are committed.
type lyingConnector struct {
	driver.Connector
	number uint16
}

func (c lyingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return lyingConn{conn.(mysqlConn), c.number}, nil
}

type lyingConn struct {
	mysqlConn
	number uint16
}

func (c lyingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	r, err := c.mysqlConn.ExecContext(ctx, query, args)
	if err == nil && strings.HasSuffix(query, "; COMMIT") {
		err = &mysql.MySQLError{Number: c.number, Message: "made up"}
	}
	return r, err
}

// TestStoredAfterAll: a transaction that was not answered may reach the database after findOut has looked for it. What it
// stored is then no duplicate: nobody has announced it.
func TestStoredAfterAll(t *testing.T) {
	s := openTest(t, Config{Path: filepath.Join(t.TempDir(), "im.db")})
	ann, bob := newUser(t, s, "+10000"), newUser(t, s, "+10001")
	conversation, err := openDirect(t.Context(), s, ann, bob)
	if err != nil {
		t.Fatal(err)
	}
	batch := []chat.NewMessage{{
		ConversationID: conversation, SenderID: ann, ReceiverID: bob, Content: "x", Type: chat.TypeText, ClientMsgID: "1", CreatedAt: time.Now(),
	}}
	stored, err := s.Append(t.Context(), batch)
	if err != nil {
		t.Fatal(err)
	}
	later := slices.Clone(batch)
	later[0].CreatedAt = later[0].CreatedAt.Add(time.Second)
	for _, c := range []struct {
		name      string
		batch     []chat.NewMessage
		maybe     bool
		duplicate bool
	}{
		{"the same send", batch, true, false},
		{"sent again by the client", later, true, true},
		{"everything was answered", batch, false, true},
	} {
		a := &appending{s: s, batch: c.batch, results: make([]chat.Appended, 1), look: true, maybe: c.maybe}
		err := s.write.inTx(t.Context(), func(ctx context.Context, q querier) error { a.t = q; return a.run(ctx) })
		if r := a.results[0]; err != nil || r.Err != nil || r.Duplicate != c.duplicate || r.Message.ID != stored[0].Message.ID {
			t.Errorf("%s: %+v, %v", c.name, r, err)
		}
	}
}
