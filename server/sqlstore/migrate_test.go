package sqlstore

import (
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// TestMigrationsBeginAgain forgets that they were done, as where a node ended
// between a change of the schema and the note of it.
func TestMigrationsBeginAgain(t *testing.T) {
	url := needs.MySQL(t)
	s := openTest(t, Config{MySQL: url})
	if _, err := s.write.(*remotePool).db.Exec("DELETE FROM goose_db_version WHERE version_id > 0"); err != nil {
		t.Fatal(err)
	}
	newUser(t, openTest(t, Config{MySQL: url}), "+12345")
}
