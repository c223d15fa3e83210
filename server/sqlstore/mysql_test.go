package sqlstore

import (
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/internal/needs"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

// TestMySQL runs the contract suite on the server that there is.
func TestMySQL(t *testing.T) {
	needs.MySQL(t)
	storetest.Run(t, func(t *testing.T) chat.Store { return openTest(t, Config{MySQL: needs.MySQL(t)}) })
}
