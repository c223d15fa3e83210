package telemetry

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// news holds conflicts to report once the catalog's lock is released.
type news struct {
	fresh  []Conflict // kept; to be logged and counted
	beyond []Conflict // not kept; to be counted only
}

// tell keeps, logs and counts conflicts that were found after creation.
func (c *catalog) tell(conflicts ...Conflict) {
	c.mu.Lock()
	n := c.remember(conflicts)
	c.mu.Unlock()
	c.announce(n)
}

// remember keeps the conflicts that are new. The caller holds the lock.
func (c *catalog) remember(conflicts []Conflict) (n news) {
	for _, x := range conflicts {
		k := conflictKey{x.Family, x.Reason, x.First.key(), x.Second.key()}
		if _, ok := c.told[k]; ok {
			continue
		}
		if len(c.told) >= maxConflicts {
			n.beyond = append(n.beyond, x)
			continue
		}
		c.told[k] = struct{}{}
		c.list = append(c.list, x)
		n.fresh = append(n.fresh, x)
	}
	return n
}

// key identifies an instrument among the conflicts: by its definition and its place in the code, or its scope if the
// place is unknown.
func (i Instrument) key() string {
	if strings.HasPrefix(i.Scope.Name, clientScope) { // its kind may be known only at collection
		return clientScope + " " + i.Name + " " + i.Site
	}
	where := i.Site
	if where == "" {
		where = i.Scope.Name
	}
	return fmt.Sprintf("%q %d %s %q %q %s", i.Name, i.Kind, i.Number, i.Unit, i.Description, where)
}

// hold delays reports until release is called: Setup creates instruments while OpenTelemetry holds its locks, and a
// logger may request an instrument.
func (c *catalog) hold() (release func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holding = true
	return func() {
		c.mu.Lock()
		c.holding = false
		held := c.held
		c.held = news{}
		c.mu.Unlock()
		c.announce(held)
	}
}

// announce logs and counts conflicts. The caller holds no lock.
func (c *catalog) announce(n news) {
	c.mu.Lock()
	if c.holding {
		c.held.fresh = append(c.held.fresh, n.fresh...)
		c.held.beyond = append(c.held.beyond, n.beyond...)
		n = news{}
	}
	c.mu.Unlock()
	for _, x := range n.beyond {
		c.self.conflict(x.Reason)
	}
	for _, x := range n.fresh {
		c.self.conflict(x.Reason)
		if c.shared && loggedElsewhere(x) {
			continue
		}
		c.log.logger().LogAttrs(context.Background(), slog.LevelWarn, "telemetry: conflict", x.attrs()...)
	}
}

// logged has the conflicts between client_golang's metrics that were logged. It is global, because several Providers may
// find the same conflict.
var logged sync.Map

func loggedElsewhere(x Conflict) bool {
	if !strings.HasPrefix(x.First.Scope.Name, clientScope) || x.Second.Site == "" {
		return false
	}
	_, already := logged.LoadOrStore(conflictKey{x.Family, x.Reason, x.First.key(), x.Second.key()}, true)
	return already
}
