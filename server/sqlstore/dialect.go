package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// A dialect is what one engine does in its own way.
type dialect struct {
	goose      goose.Dialect
	migrations string // the folder of its schema

	// forUpdate ends a SELECT whose rows the transaction is going to change.
	forUpdate string
	// keepOld ends an INSERT that leaves a row with the same key as it is.
	keepOld string
	// firstID returns the id of the first of the n rows of one INSERT.
	firstID func(r sql.Result, n int) (int64, error)
	// classify says what an error of the driver means.
	classify func(error) failure
}

//go:embed migrations
var migrations embed.FS

// migrateTries is how often migrate is begun when another process brings the
// same database up to date at the same time.
const migrateTries = 3

// migrate brings the schema up to date.
func (d *dialect) migrate(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, d.migrations)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d.goose, db, files, goose.WithDisableGlobalRegistry(true), goose.WithVerbose(false))
	if err != nil {
		return err
	}
	for range migrateTries {
		if _, err = p.Up(ctx); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}
