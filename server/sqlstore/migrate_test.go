package sqlstore

import (
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

// TestMigrationsBeginAgain deletes the record of which migrations were done, as if a node
// had ended before it could store it. The migrations must succeed a second time.
func TestMigrationsBeginAgain(t *testing.T) {
	url := needs.MySQL(t)
	s := openTest(t, Config{MySQL: url})
	if _, err := s.write.(*remotePool).db.Exec("DELETE FROM goose_db_version WHERE version_id > 0"); err != nil {
		t.Fatal(err)
	}
	newUser(t, openTest(t, Config{MySQL: url}), "+12345")
}
