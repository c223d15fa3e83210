package sqlstore

import (
	"database/sql"

	"github.com/pressly/goose/v3"
)

// A dialect is what one engine does in its own way.
type dialect struct {
	name       string
	goose      goose.Dialect
	migrations string // the folder of its schema

	// forUpdate ends a SELECT whose rows the transaction is going to change,
	// and byID makes it look for them by id, so that it locks no others.
	forUpdate, byID string
	// inOrder joins a table that is read after those before it.
	inOrder string
	// forShare ends a SELECT whose rows are to stay until the transaction ends.
	forShare string
	// keepOld ends an INSERT that leaves a row with the same key as it is. It
	// is given one of the key's columns.
	keepOld func(column string) string
	// raiseMarks moves the marks of n members forward: each is a conversation,
	// a user, a read and a delivered seq.
	raiseMarks func(n int) string
	// step is an expression: how far apart ids of rows of one INSERT are.
	step string
	// firstID returns the id of the first of the n rows of one INSERT.
	firstID func(r sql.Result, n int, step int64) (int64, error)
	// rows is how many of n rows the next INSERT takes.
	rows func(n int) int
	// slowQueries counts the statements that the server found slow; empty where
	// there is no server.
	slowQueries string
	// classify says what an error of the driver means.
	classify func(error) failure
}
