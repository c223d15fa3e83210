package rest

import (
	"context"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

func (s *Server) privacy(c echo.Context, me chat.Caller) error {
	p, err := s.svc.Privacy(c.Request().Context(), me)
	return s.ok(c, p, err)
}

func (s *Server) changePrivacy(c echo.Context, me chat.Caller) error {
	var body chat.PrivacyChange
	if err := decode(c, &body); err != nil {
		return err
	}
	p, err := s.svc.SetPrivacy(c.Request().Context(), me, body)
	return s.ok(c, p, err)
}

func (s *Server) requests(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.Request], error) {
		return s.svc.Requests(c.Request().Context(), me, p)
	})
}

func (s *Server) accept(c echo.Context, me chat.Caller) error {
	return s.answerRequest(c, me, s.svc.Accept)
}

func (s *Server) decline(c echo.Context, me chat.Caller) error {
	return s.answerRequest(c, me, s.svc.Decline)
}

// answerRequest calls call with the id in the path, and answers with the request.
func (s *Server) answerRequest(c echo.Context, me chat.Caller,
	call func(context.Context, chat.Caller, int64) (chat.Request, error),
) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	r, err := call(c.Request().Context(), me, id)
	return s.ok(c, r, err)
}
