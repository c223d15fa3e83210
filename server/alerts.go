package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/telemetry"
)

// Thresholds of the rules in deploy/prometheus/rules/alerts.yml that a node can check by itself.
const (
	poolNearLimit = 0.8
	memoryNear    = 0.85
	reportsWait   = 24 * time.Hour
	deletionsWait = time.Hour
	quotaNear     = 0.9
)

// severities has the severity of each rule, by name.
var severities = map[string]string{
	"IMRequestsFail": "page", "IMBusDeaf": "page", "IMFileStoreFails": "ticket", "IMDatabasePoolNearLimit": "ticket",
	"IMRedisMemory": "ticket", "IMTelemetryConflict": "ticket", "IMTelemetryOverflow": "ticket", "IMReportsWait": "ticket",
	"IMDeletionsStuck": "ticket", "IMFileQuota": "ticket",
}

// partAlerts has the rule that fires if a part is down, by the part's name.
var partAlerts = map[string]string{"database": "IMRequestsFail", "redis": "IMBusDeaf", "files": "IMFileStoreFails"}

// alerts returns a function that returns the current alerts, as far as this node can determine them. Prometheus is
// authoritative: it sees all nodes and the past.
func (s *Server) alerts(tel *telemetry.Provider) func(context.Context) []rest.Alert {
	return func(ctx context.Context) (all []rest.Alert) {
		add := func(name, format string, args ...any) {
			all = append(all, rest.Alert{Name: name, Severity: severities[name], Summary: fmt.Sprintf(format, args...)})
		}
		for _, p := range s.ready(ctx) {
			if name, ok := partAlerts[p.Name]; ok && p.Err != nil {
				add(name, "The part %s of this node does not answer%s.", p.Name, fullness(p.Err))
			}
		}
		s.storeAlerts(add)
		conflicts, overflows := 0, 0
		for _, c := range tel.Conflicts() {
			if c.Reason == telemetry.ReasonCardinality {
				overflows++
			} else {
				conflicts++
			}
		}
		if conflicts > 0 {
			add("IMTelemetryConflict", "%d definitions of metrics disagree: /debug/telemetry names both places of each.", conflicts)
		}
		if overflows > 0 {
			add("IMTelemetryOverflow", "%d metrics are near their limit of series, or beyond it.", overflows)
		}
		return all
	}
}

// storeAlerts adds the alerts about the database, Redis, and what waits to be done.
func (s *Server) storeAlerts(add func(name, format string, args ...any)) {
	if db := s.store.Stats(); s.store.Engine() == "mysql" && db.MaxOpenConnections > 0 {
		if used := float64(db.InUse) / float64(db.MaxOpenConnections); used > poolNearLimit {
			add("IMDatabasePoolNearLimit", "%.0f %% of the connections to the database are in use.", 100*used)
		}
	}
	if m := s.memory.last(); m.Max > 0 {
		if used := float64(m.Used) / float64(m.Max); used > memoryNear {
			add("IMRedisMemory", "Redis uses %.0f %% of its memory.", 100*used)
		}
	}
	s.backlogAlerts(add)
}

// backlogAlerts adds the alerts about what waited to be done when it was last polled.
func (s *Server) backlogAlerts(add func(name, format string, args ...any)) {
	b, at := s.backlog.lastAt()
	if age := b.Reports.Age(at); age > reportsWait {
		add("IMReportsWait", "%d reports are pending, the oldest for %s.", b.Reports.N, age.Round(time.Hour))
	}
	if age := b.Deletions.Age(at); age > deletionsWait {
		add("IMDeletionsStuck", "%d deleted accounts still have data, the oldest for %s.", b.Deletions.N, age.Round(time.Minute))
	}
	if quota := s.cfg.TotalQuota; quota > 0 && float64(b.FileBytes) > quotaNear*float64(quota) {
		add("IMFileQuota", "The files of all users take %.0f %% of --total-quota.", 100*float64(b.FileBytes)/float64(quota))
	}
}

// fullness returns a text for a part whose disk is full, and "" for others.
func fullness(err error) string {
	if e, ok := errors.AsType[*chat.Error](err); ok && e.Kind == chat.KindNoSpace {
		return ": its disk is full"
	}
	return ""
}

// watchBacklog polls what waits to be done.
func (s *Server) watchBacklog() {
	s.backlog.poll(pollEvery, s.chat.Backlog)
	s.close = append(s.close, s.backlog.stop)
}
