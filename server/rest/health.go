package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// The health checks answer without an envelope: a status, and more.
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

// alive tells that the process answers; it asks nothing of anyone.
func (s *Server) alive(c echo.Context) error {
	s.write(c, http.StatusOK, map[string]string{"status": fine})
	return nil
}

const readyWithin = 2 * time.Second

// ready tells whether the parts answer: unavailable, and 503, where one that is
// needed does not; degraded where one does not that the server would rather
// have. Why not is for the log.
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

// webSocket hands the connection over. After the upgrade there is nothing left
// to answer, and fail writes nothing.
func (s *Server) webSocket(c echo.Context) error {
	return s.cfg.WebSocket(c.Response(), c.Request())
}
