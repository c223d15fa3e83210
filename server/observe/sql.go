package observe

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"strings"
)

// SQL returns a wrapper for connectors. It times every statement, from the call to the end of its rows, as
// db.query.duration and as db.client.operation.duration. Beginning and ending a transaction count as statements.
// system is the engine, sqlite or mysql; failure returns the error.type for an error of its driver.
func (o *Observer) SQL(system string, failure func(error) string) func(driver.Connector) driver.Connector {
	clock := &queryClock{
		ins: o.ins, tracing: o.tracing, system: system, failure: failure,
		kinds: make(map[statement]*statementKind), parsed: make(map[string]*statementKind),
	}
	return func(c driver.Connector) driver.Connector { return &timedConnector{c, clock} }
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

// fullConn has the interfaces of the drivers that the server uses. Requiring all of them makes fallbacks unnecessary.
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

// CheckNamedValue calls the driver's, if it has one.
func (c *timedConn) CheckNamedValue(v *driver.NamedValue) error {
	if checker, ok := c.fullConn.(driver.NamedValueChecker); ok {
		return checker.CheckNamedValue(v)
	}
	return driver.ErrSkip
}

func (c *timedConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	t := c.clock.begin(ctx, query)
	res, err := c.fullConn.ExecContext(ctx, query, args)
	if !errors.Is(err, driver.ErrSkip) {
		t.end(err)
	}
	return res, err
}

func (c *timedConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	t := c.clock.begin(ctx, query)
	rows, err := c.fullConn.QueryContext(ctx, query, args)
	if errors.Is(err, driver.ErrSkip) {
		return nil, err
	}
	return t.rows(rows, err)
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
	t := c.clock.begin(ctx, "begin")
	tx, err := c.fullConn.BeginTx(ctx, opts)
	t.end(err)
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
	t := s.clock.begin(ctx, s.query)
	res, err := s.fullStmt.ExecContext(ctx, args)
	t.end(err)
	return res, err
}

func (s *timedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	t := s.clock.begin(ctx, s.query)
	rows, err := s.fullStmt.QueryContext(ctx, args)
	return t.rows(rows, err)
}

type timedTx struct {
	tx    driver.Tx
	clock *queryClock
}

func (t *timedTx) Commit() error {
	timing := t.clock.begin(context.Background(), "commit")
	err := t.tx.Commit()
	timing.end(err)
	return err
}

func (t *timedTx) Rollback() error {
	timing := t.clock.begin(context.Background(), "rollback")
	err := t.tx.Rollback()
	timing.end(err)
	return err
}

// timedRows ends the timing of a statement when its rows are closed.
type timedRows struct {
	driver.Rows
	timing
	err error // if an error ended them early
}

func (r *timedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && err != io.EOF { //nolint:errorlint // a driver returns io.EOF itself, as database/sql wants it
		r.err = err
	}
	return err
}

func (r *timedRows) Close() error {
	err := r.Rows.Close()
	r.end(cmp.Or(r.err, err))
	return err
}

// rows returns rows that end the timing when they are closed. If the query failed, it ends the timing at once.
func (t timing) rows(rows driver.Rows, err error) (driver.Rows, error) {
	if err != nil {
		t.end(err)
		return nil, err
	}
	return &timedRows{Rows: rows, timing: t}, nil
}

// statement has the labels of db_query_duration_seconds.
type statement struct{ operation, table string }

// noTable is the table of a statement without one.
const noTable = "none"

// lastOf returns the last statement of several that the store joined, not counting a COMMIT. The others prepare it.
func lastOf(query string) string {
	query = strings.TrimSuffix(query, "; COMMIT")
	return query[strings.LastIndex(query, "; ")+1:]
}

// parse returns the operation and the first table of one of the server's statements. It ignores text in parentheses,
// such as a sub-select.
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
				b.WriteString(" () ") // not a name
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

// tableName removes the quotes from a name, and returns "" if it is not a table's name.
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
