package telemetry

import (
	"context"
	"fmt"
	"log/slog"
)

// tell keeps, logs and counts conflicts that were found after creation.
func (c *catalog) tell(conflicts ...Conflict) {
	c.mu.Lock()
	conflicts = c.remember(conflicts)
	c.mu.Unlock()
	c.announce(conflicts)
}

// remember keeps the conflicts that were not told before and returns them. The catalog's lock is held.
func (c *catalog) remember(conflicts []Conflict) []Conflict {
	var fresh []Conflict
	for _, x := range conflicts {
		k := conflictKey{x.Family, x.Reason, x.First.key(), x.Second.key()}
		if _, ok := c.told[k]; ok || len(c.told) >= maxConflicts {
			continue
		}
		c.told[k] = struct{}{}
		c.list = append(c.list, x)
		fresh = append(fresh, x)
	}
	return fresh
}

// key identifies an instrument among those that were told of: by its definition and the place in the code, or the
// scope where the place is unknown.
func (i Instrument) key() string {
	where := i.Site
	if where == "" {
		where = i.Scope.Name
	}
	return fmt.Sprintf("%q %d %s %q %q %s", i.Name, i.Kind, i.Number, i.Unit, i.Description, where)
}

func (c *catalog) announce(conflicts []Conflict) {
	for _, x := range conflicts {
		c.count(x.Reason)
		slog.LogAttrs(context.Background(), slog.LevelWarn, "telemetry: conflict", x.attrs()...)
	}
}
