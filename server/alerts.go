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

// Thresholds of the rules in deploy/prometheus/rules/alerts.yml that this process
// can tell by itself.
const (
	poolNearLimit = 0.8
	memoryNear    = 0.85
	reportsWait   = 24 * time.Hour
)

// severities are those of the rules, by name.
var severities = map[string]string{
	"IMRequestsFail": "page", "IMBusDeaf": "page", "IMFileStoreFails": "ticket", "IMDatabasePoolNearLimit": "ticket",
	"IMRedisMemory": "ticket", "IMTelemetryConflict": "ticket", "IMTelemetryOverflow": "ticket", "IMReportsWait": "ticket",
}

// partAlerts are the rules that fire where a part is down.
var partAlerts = map[string]string{"database": "IMRequestsFail", "redis": "IMBusDeaf", "files": "IMFileStoreFails"}

// alerts tells what is wrong now, as far as this node knows. Prometheus, which
// sees all nodes and what was before, has the last word.
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
			add("IMTelemetryOverflow", "%d metrics have nearly as many series as they may, or more.", overflows)
		}
		return all
	}
}

// storeAlerts tells what the stores are short of, and what waits in them.
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
	if w := s.reports.last(); w.age(time.Now()) > reportsWait {
		add("IMReportsWait", "%d reports of users wait for a moderator, the oldest for %s.", w.n, w.age(time.Now()).Round(time.Hour))
	}
}

// fullness says more of a part that has no room left.
func fullness(err error) string {
	if e, ok := errors.AsType[*chat.Error](err); ok && e.Kind == chat.KindNoSpace {
		return ": its disk is full"
	}
	return ""
}

// waiting are the reports that wait, and since when.
type waiting struct {
	n     int64
	since time.Time
}

func (w waiting) age(now time.Time) time.Duration {
	if w.n == 0 {
		return 0
	}
	return now.Sub(w.since)
}

// watchReports counts the reports that wait now and then.
func (s *Server) watchReports() {
	s.reports.poll(pollEvery, func(ctx context.Context) (w waiting, err error) {
		w.n, w.since, err = s.chat.PendingReports(ctx)
		return w, err
	})
	s.close = append(s.close, s.reports.stop)
}
