package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"strconv"
	"strings"
	"sync"
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

// TestStoredAfterAll: a round trip that was not answered may reach the database after Append has looked for its message.
// The message is then no duplicate, for nobody has announced it. If the client sends it again, that is one.
func TestStoredAfterAll(t *testing.T) {
	var l belated
	p := &pair{Store: openTest(t, Config{MySQL: needs.MySQL(t), Wrap: func(c driver.Connector) driver.Connector {
		return belatedConnector{c, &l}
	}})}
	p.users = [2]int64{newUser(t, p.Store, "+10000"), newUser(t, p.Store, "+10001")}
	var err error
	if p.conversation, err = openDirect(t.Context(), p.Store, p.users[0], p.users[1]); err != nil {
		t.Fatal(err)
	}
	batch := p.one("1")
	r, err := p.Append(t.Context(), batch)
	if err != nil || r[0].Err != nil || r[0].Duplicate || r[0].Message.Seq != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if !l.arrived {
		t.Error("the round trip never reached the database")
	}
	batch[0].CreatedAt = batch[0].CreatedAt.Add(time.Second)
	if r, err := p.Append(t.Context(), batch); err != nil || !r[0].Duplicate || r[0].Message.Seq != 1 {
		t.Errorf("sent again by the client: %+v, %v", r, err)
	}
}

// belated is the first transaction in one round trip. It reaches the database when the second transaction after it begins:
// the first one looks for its messages.
type belated struct {
	mu      sync.Mutex
	query   string
	args    []driver.NamedValue
	begun   int
	arrived bool
}

type belatedConnector struct {
	driver.Connector
	*belated
}

func (c belatedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return belatedConn{conn.(mysqlConn), c.belated}, nil
}

type belatedConn struct {
	mysqlConn
	*belated
}

func (c belatedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.query != "" || !strings.HasSuffix(query, "; COMMIT") {
		return c.mysqlConn.ExecContext(ctx, query, args)
	}
	c.query, c.args = query, args
	return nil, mysql.ErrInvalidConn
}

func (c belatedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.query != "" && !c.arrived && strings.HasPrefix(query, begin) {
		if c.begun++; c.begun == 2 {
			if _, err := c.mysqlConn.ExecContext(ctx, c.query, c.args); err != nil {
				return nil, err
			}
			c.arrived = true
		}
	}
	return c.mysqlConn.QueryContext(ctx, query, args)
}
