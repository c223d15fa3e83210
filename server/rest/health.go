package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// The answers of the health checks, which have no envelope.
type (
	health struct {
		Status  string    `json:"status"`
		Version string    `json:"version"`
		Uptime  int64     `json:"uptime_seconds"`
		Time    time.Time `json:"time"`
	}
	readiness struct {
		Status string            `json:"status"`
		Parts  map[string]string `json:"parts"`
	}
)

const fine = "ok"

func (s *Server) health(c echo.Context) error {
	now := s.cfg.Now().UTC()
	s.write(c, http.StatusOK, health{
		Status: fine, Version: s.cfg.Version, Uptime: int64(now.Sub(s.started).Seconds()), Time: now,
	})
	return nil
}

// alive answers without checking anything: the process is alive.
func (s *Server) alive(c echo.Context) error {
	s.write(c, http.StatusOK, map[string]string{"status": fine})
	return nil
}

// readyWithin limits the time of Config.Ready, and of Config.Alerts.
const readyWithin = 2 * time.Second

// ready reports whether the parts work: the status is unavailable (503) if a required part is down, and degraded if an
// optional one is. Only the log has the cause.
func (s *Server) ready(c echo.Context) error {
	answer, code := readiness{Status: fine, Parts: map[string]string{}}, http.StatusOK
	if s.cfg.Ready != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyWithin)
		defer cancel()
		for _, p := range s.cfg.Ready(ctx) {
			answer.Parts[p.Name] = fine
			if p.Err == nil {
				continue
			}
			answer.Parts[p.Name] = "down"
			if chat.KindOf(p.Err) == chat.KindNoSpace {
				answer.Parts[p.Name] = "full"
			}
			s.cfg.Log.WarnContext(ctx, "part not ready", "part", p.Name, "optional", p.Optional, "err", p.Err)
			if !p.Optional {
				code = http.StatusServiceUnavailable
			}
			answer.Status = "degraded"
		}
	}
	if code != http.StatusOK {
		answer.Status = "unavailable"
	}
	s.write(c, code, answer)
	return nil
}

// webSocket passes the request to Config.WebSocket. After the upgrade, fail writes no answer.
func (s *Server) webSocket(c echo.Context) error {
	return s.cfg.WebSocket(c.Response(), c.Request())
}
