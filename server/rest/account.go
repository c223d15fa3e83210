package rest

import (
	"net/http"

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

func (s *Server) deleteMe(c echo.Context, me chat.Caller) error {
	var body chat.Farewell
	if err := decode(c, &body); err != nil {
		return err
	}
	body.Addr = s.countedAddr(c)
	return s.ok(c, nothing{}, s.svc.DeleteMe(c.Request().Context(), me, body))
}

// ended is the answer of endOtherSessions.
type ended struct {
	Ended int `json:"ended"`
}

func (s *Server) endOtherSessions(c echo.Context, me chat.Caller) error {
	n, err := s.svc.EndMyOtherSessions(c.Request().Context(), me)
	return s.ok(c, ended{n}, err)
}

// export sends an archive of the caller's data. If it fails after the answer has begun, it breaks the connection, so
// that an incomplete archive does not look complete.
func (s *Server) export(c echo.Context, me chat.Caller) error {
	ctx := c.Request().Context()
	e, err := s.svc.BeginExport(ctx, me)
	if err != nil {
		return err
	}
	defer e.Close()
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, "application/zip")
	header.Set(echo.HeaderContentDisposition, disposition("export-"+s.cfg.Now().UTC().Format("2006-01-02")+".zip"))
	if err := e.Write(ctx, s.newDownload(c.Response())); err != nil {
		if !c.Response().Committed {
			header.Del(echo.HeaderContentDisposition)
			return err
		}
		s.cfg.Log.WarnContext(ctx, "export failed after its answer began; connection closed", "user", me.UserID, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
