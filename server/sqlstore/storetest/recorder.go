package storetest

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"
	"sync"
)

// A Recorder records every statement that runs on the connections that it wraps, with the
// arguments of its last run. The zero value is ready to use. It is safe for concurrent use.
type Recorder struct {
	mu  sync.Mutex
	run map[string][]any
}

// A Statement is one that a [Recorder] has recorded.
type Statement struct {
	Text string
	Args []any
}

// Wrap returns a connector whose statements are recorded.
func (r *Recorder) Wrap(c driver.Connector) driver.Connector { return recordingConnector{c, r} }

// Statements returns each statement once, in alphabetical order.
func (r *Recorder) Statements() (list []Statement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, text := range slices.Sorted(maps.Keys(r.run)) {
		list = append(list, Statement{text, r.run[text]})
	}
	return list
}

func (r *Recorder) note(text string, named []driver.NamedValue) {
	args := make([]any, len(named))
	for i, a := range named {
		args[i] = a.Value
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run == nil {
		r.run = make(map[string][]any)
	}
	for _, one := range apart(text) {
		n := min(strings.Count(one, "?"), len(args)) // none for a prepared statement
		r.run[one], args = args[:n:n], args[n:]
	}
}

// apart splits statements that the store has joined. Statements of migrations, which have
// comments, are never joined.
func apart(text string) []string {
	if strings.Contains(text, "--") {
		return []string{text}
	}
	return strings.Split(text, "; ")
}

type recordingConnector struct {
	driver.Connector
	to *Recorder
}

func (c recordingConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return recordingConn{conn.(fullConn), c.to}, nil
}

// fullConn has all interfaces that the server's own wrapper in package observe needs.
type fullConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type recordingConn struct {
	fullConn
	to *Recorder
}

// CheckNamedValue calls the driver's, if it has one.
func (c recordingConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c recordingConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.to.note(query, args)
	return c.fullConn.ExecContext(ctx, query, args)
}

func (c recordingConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.to.note(query, args)
	return c.fullConn.QueryContext(ctx, query, args)
}
