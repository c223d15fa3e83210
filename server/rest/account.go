package rest

import (
	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

func (s *Server) changePassword(c echo.Context, me chat.Caller) error {
	var body chat.PasswordChange
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr = s.countedAddr(c)
	return s.ok(c, nothing{}, s.svc.ChangePassword(c.Request().Context(), me, body))
}

func (s *Server) sessions(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.SessionInfo], error) {
		return s.svc.MySessions(c.Request().Context(), me, p)
	})
}

func (s *Server) endSession(c echo.Context, me chat.Caller) error {
	return s.ok(c, nothing{}, s.svc.EndMySession(c.Request().Context(), me, c.Param("id")))
}

// ended tells how many sessions are over.
type ended struct {
	Ended int `json:"ended"`
}

func (s *Server) endOtherSessions(c echo.Context, me chat.Caller) error {
	n, err := s.svc.EndMyOtherSessions(c.Request().Context(), me)
	return s.ok(c, ended{n}, err)
}
