package sqlstore

import (
	"database/sql"

	"github.com/pressly/goose/v3"
)

// A dialect holds the differences between engines.
type dialect struct {
	name       string
	goose      goose.Dialect
	migrations string // the folder of its schema

	// forUpdate ends a SELECT whose rows the transaction will change. byID makes
	// it find them by id, so that it locks no other rows.
	forUpdate, byID string
	// inOrder is a join that reads its table after those before it.
	inOrder string
	// forShare ends a SELECT whose rows must not change until the transaction ends.
	forShare string
	// keepOld ends an INSERT that leaves existing rows with the same key unchanged.
	// column is one of the key's columns.
	keepOld func(column string) string
	// raiseMarks returns the statement that moves the marks of n members forward. Its
	// arguments are, for each, the conversation, the user, the read and the delivered seq.
	raiseMarks func(n int) string
	// step is an SQL expression: the distance between the ids of one INSERT's rows.
	step string
	// firstID returns the id of the first of n rows of one INSERT.
	firstID func(r sql.Result, n int, step int64) (int64, error)
	// rows returns how many of n rows the next INSERT takes.
	rows func(n int) int
	// slowQueries is a statement that returns the server's count of slow statements;
	// empty if there is no server.
	slowQueries string
	// classify returns the meaning of an error of the driver.
	classify func(error) failure
}
