package server

import (
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/limit/redislimit"
)

// The bursts of the limits, and how many a second come back (the refills).
const (
	limitedKeys  = 100_000 // keys that a limiter keeps in memory
	minute       = 60.0    // seconds
	failedLogins = 10      // of an account
	failedRefill = 1. / 30
	failedByAddr = 100 // failed logins from an address
	addrRefill   = 1.
	searches     = 40 // of a user: a client may search with every key that is typed
	searchRefill = 1.
	codeTries    = 10 // two-factor codes that a user tries
	codeRefill   = 1. / minute
	exports      = 3 // of a user
	exportRefill = 3. / (24 * 60 * minute)
	newGroups    = 50 // of a user
	groupRefill  = 1. / minute
	newRequests  = 30 // of a user, to strangers
	askRefill    = 1. / minute
)

func (s *Server) addLimits(cfg *chat.Config) {
	c := s.cfg
	// A node takes several tokens for messages at once, so that not every message asks Redis.
	const batch = 20
	cfg.Messages = newLimiter[int64](s, "messages", c.MessageRate, c.MessageBurst, batch)
	cfg.Actions = newLimiter[int64](s, "actions", c.MessageRate, c.MessageBurst, batch)
	cfg.Reads = newLimiter[int64](s, "reads", c.MessageRate, c.MessageBurst, batch)
	cfg.Searches = newLimiter[int64](s, "searches", searchRefill, searches, 1)
	cfg.TextSearches = newLimiter[int64](s, "text-searches", searchRefill, searches, 1)
	cfg.NewGroups = newLimiter[int64](s, "new-groups", groupRefill, newGroups, 1)
	cfg.NewRequests = newLimiter[int64](s, "new-requests", askRefill, newRequests, 1)
	cfg.Exports = newLimiter[int64](s, "exports", exportRefill, exports, 1)
	cfg.CodeTries = newLimiter[int64](s, "code-tries", codeRefill, codeTries, 1)
	cfg.LoginAccounts = newLimiter[string](s, "login-accounts", failedRefill, failedLogins, 1)
	cfg.LoginAddrs = newLimiter[string](s, "login-addrs", addrRefill, failedByAddr, 1)
	cfg.Registrations = newLimiter[string](s, "registrations", c.RegistrationRate/minute, max(1, int(c.RegistrationRate)), 1)
}

// newLimiter makes a limiter in this process or, with Redis, one that all nodes share. Each node then takes batch
// tokens at a time.
func newLimiter[K comparable](s *Server, name string, perSecond float64, burst, batch int) chat.Limiter[K] {
	local := memlimit.New[K](perSecond, burst, limitedKeys)
	if s.shared.client == nil {
		return local
	}
	return redislimit.New[K](s.shared.client, local, redislimit.Config{
		Name: name, Prefix: s.cfg.RedisPrefix, PerSecond: perSecond, Burst: burst, Batch: batch, Keys: limitedKeys,
	})
}
