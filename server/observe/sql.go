package observe

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// SQL returns connector with every statement timed: from the call to the end
// of its rows. Beginning and ending a transaction are statements too.
func (o *Observer) SQL(connector driver.Connector) driver.Connector {
	return &timedConnector{Connector: connector, clock: &queryClock{
		observer: o,
		labels:   newLabelTable(statementAttrs),
		parsed:   make(map[string]statement),
	}}
}

func statementAttrs(s statement) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String("operation", s.operation), attribute.String("table", s.table)}
}

type timedConnector struct {
	driver.Connector
	clock *queryClock
}

func (c *timedConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	full, ok := conn.(fullConn)
	if !ok {
		return nil, errors.Join(errors.New("observe: the database driver lacks the context interfaces"), conn.Close())
	}
	return &timedConn{fullConn: full, clock: c.clock}, nil
}

// fullConn is what the drivers that the server uses offer. Asking for it whole
// keeps the wrapper free of fallbacks that nothing takes.
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

type timedConn struct {
	fullConn
	clock *queryClock
}

// CheckNamedValue passes on to the driver, where it has an opinion.
func (c *timedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *timedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	start := time.Now()
	res, err := c.fullConn.ExecContext(ctx, query, args)
	if !errors.Is(err, driver.ErrSkip) {
		c.clock.stop(ctx, query, start)
	}
	return res, err
}

func (c *timedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	start := time.Now()
	rows, err := c.fullConn.QueryContext(ctx, query, args)
	if errors.Is(err, driver.ErrSkip) {
		return nil, err
	}
	return c.clock.rows(ctx, rows, err, query, start)
}

func (c *timedConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt, err := c.fullConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	full, ok := stmt.(fullStmt)
	if !ok {
		return nil, errors.Join(errors.New("observe: the database driver lacks the context interfaces"), stmt.Close())
	}
	return &timedStmt{fullStmt: full, clock: c.clock, query: query}, nil
}

func (c *timedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	start := time.Now()
	tx, err := c.fullConn.BeginTx(ctx, opts)
	c.clock.stop(ctx, "begin", start)
	if err != nil {
		return nil, err
	}
	return &timedTx{tx: tx, clock: c.clock}, nil
}

type fullStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

type timedStmt struct {
	fullStmt
	clock *queryClock
	query string
}

func (s *timedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	start := time.Now()
	res, err := s.fullStmt.ExecContext(ctx, args)
	s.clock.stop(ctx, s.query, start)
	return res, err
}

func (s *timedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	start := time.Now()
	rows, err := s.fullStmt.QueryContext(ctx, args)
	return s.clock.rows(ctx, rows, err, s.query, start)
}

type timedTx struct {
	tx    driver.Tx
	clock *queryClock
}

func (t *timedTx) Commit() error {
	start := time.Now()
	err := t.tx.Commit()
	t.clock.stop(context.Background(), "commit", start)
	return err
}

func (t *timedTx) Rollback() error {
	start := time.Now()
	err := t.tx.Rollback()
	t.clock.stop(context.Background(), "rollback", start)
	return err
}

// timedRows ends the statement's time when its rows are closed.
type timedRows struct {
	driver.Rows
	done func()
}

func (r *timedRows) Close() error {
	err := r.Rows.Close()
	r.done()
	return err
}

// rows returns rows that stop the clock when they end, or stops it at once
// where the query failed.
func (q *queryClock) rows(ctx context.Context, rows driver.Rows, err error, query string, start time.Time) (driver.Rows, error) {
	if err != nil {
		q.stop(ctx, query, start)
		return nil, err
	}
	return &timedRows{Rows: rows, done: func() { q.stop(ctx, query, start) }}, nil
}

// statement is what db_query_duration_seconds tells statements apart by.
type statement struct{ operation, table string }

// noTable stands where a statement names no table.
const noTable = "none"

// parse reads the operation and the first table of a statement of ours. What
// stands in brackets, such as a sub-select, does not count.
func parse(query string) statement {
	words := strings.Fields(withoutBrackets(query))
	if len(words) == 0 {
		return statement{operation: "other", table: noTable}
	}
	s := statement{operation: strings.ToLower(words[0]), table: noTable}
	switch s.operation {
	case "insert", "replace", "select", "delete", "update", "create", "alter", "drop":
		s.table = tableOf(words)
	case "begin", "commit", "rollback", "pragma", "show", "set":
	case "start": // transaction
		s.operation = "begin"
	case "with":
		s.operation, s.table = "select", tableOf(words)
	default:
		s.operation = "other"
	}
	return s
}

func withoutBrackets(query string) string {
	var b strings.Builder
	depth := 0
	for _, c := range query {
		switch c {
		case '(':
			if depth++; depth == 1 {
				b.WriteString(" () ") // no name
			}
		case ')':
			depth--
		default:
			if depth == 0 {
				b.WriteRune(c)
			}
		}
	}
	return b.String()
}

// tableOf finds the name after the first INTO, FROM, JOIN, STRAIGHT_JOIN, UPDATE or TABLE.
func tableOf(words []string) string {
	for i, word := range words[:len(words)-1] {
		switch strings.ToLower(word) {
		case "into", "from", "join", "straight_join", "update", "table":
			if name := tableName(words[i+1]); name != "" {
				return name
			}
		}
	}
	return noTable
}

// tableName takes the quotes off a name, and refuses what is none.
func tableName(word string) string {
	word = strings.ToLower(strings.Trim(word, "`\"';,"))
	for _, c := range word {
		if c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return ""
		}
	}
	switch word {
	case "if", "set":
		return ""
	}
	return word
}
