package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// A staffHandler answers a member of the staff.
type staffHandler func(c echo.Context, by chat.Staff) error

// staff requires the access token of a user whose role is least or above. Every route for the staff goes through it.
func (s *Server) staff(least chat.AccountRole, h staffHandler) echo.HandlerFunc {
	return s.staffWithin(s.cfg.RequestTimeout, least, h)
}

// staffWithin is staff with another timeout.
func (s *Server) staffWithin(d time.Duration, least chat.AccountRole, h staffHandler) echo.HandlerFunc {
	return s.authenticated(func(c echo.Context, me chat.Caller) error {
		return within(d, func(c echo.Context) error {
			r := c.Request()
			by, err := s.svc.StaffOf(r.Context(), me, c.RealIP(), least, r.Method+" "+r.URL.Path)
			if err != nil {
				return err
			}
			return h(c, by)
		})(c)
	})
}

// staffRoutes is the route table for the staff, with the one call by which any user reports.
func (s *Server) staffRoutes() {
	moderator := func(h staffHandler) echo.HandlerFunc { return s.staff(chat.RoleModerator, h) }
	admin := func(h staffHandler) echo.HandlerFunc { return s.staff(chat.RoleAdministrator, h) }
	super := func(h staffHandler) echo.HandlerFunc { return s.staff(chat.RoleSuperAdmin, h) }

	s.get("/api/super-admin/stats", admin(s.stats))
	s.get("/api/super-admin/alerts", admin(s.alerts))
	s.get("/api/super-admin/logs", admin(s.audit))
	s.getIf(s.cfg.StaffMetrics != nil, "/api/super-admin/metrics", admin(shown(s.cfg.StaffMetrics)))
	s.getIf(s.cfg.StaffTelemetry != nil, "/api/super-admin/telemetry", admin(shown(s.cfg.StaffTelemetry)))
	s.post("/api/super-admin/broadcast", admin(s.broadcast))

	s.get("/api/super-admin/users", admin(s.accounts))
	s.get("/api/super-admin/users/online", admin(s.onlineUsers))
	s.get("/api/super-admin/users/:id", admin(s.account))
	s.get("/api/super-admin/users/:id/analysis", admin(s.analysis))
	s.post("/api/super-admin/users/:id/logout", admin(s.logoutUser))
	s.post("/api/super-admin/users/:id/ban", admin(s.banUser))
	s.post("/api/super-admin/users/:id/unban", admin(s.unbanUser))
	s.delete("/api/super-admin/users/:id", admin(s.removeUser))
	s.put("/api/super-admin/users/:id/role", super(s.setRole))
	s.post("/api/super-admin/users/:id/password", s.staffWithin(passwordTimeout, chat.RoleAdministrator, s.resetPassword))
	s.post("/api/super-admin/users/:id/reset-2fa", super(s.resetTwoFactor))
	s.get("/api/super-admin/users/:id/sessions", admin(s.userSessions))

	s.get("/api/super-admin/chats", admin(s.allChats))
	s.delete("/api/super-admin/chats/:id", admin(s.removeChat))
	s.get("/api/super-admin/messages", moderator(s.allMessages))
	s.delete("/api/super-admin/messages/:id", moderator(s.removeMessage))

	s.post("/api/moderation/reports", s.prompt(s.report))
	s.get("/api/moderation/reports", moderator(s.reports))
	s.get("/api/moderation/reports/pending", moderator(s.pendingReports))
	s.post("/api/moderation/reports/:id/handle", moderator(s.handleReport))
}

// shown serves a page to the staff.
func shown(page http.Handler) staffHandler {
	return func(c echo.Context, _ chat.Staff) error {
		page.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

// listed answers with the part of a list with a total that the query requests: by page and page_size, or by limit and
// offset.
func listed[T any](s *Server, c echo.Context, load func(context.Context, *query, chat.Paging) (chat.Listing[T], error)) error {
	q := query{c: c}
	p := q.paging()
	if p.Limit == 0 {
		p.Limit = q.limitOf("page_size")
	}
	if q.err != nil {
		return q.err
	}
	got, err := load(c.Request().Context(), &q, p)
	if err != nil {
		return err
	}
	s.write(c, http.StatusOK, page{
		envelope: envelope{Success: true, Data: list(got.Items)},
		Total:    got.Total, MoreTotal: got.MoreTotal, Limit: got.Limit, Offset: got.Offset, HasMore: got.HasMore,
	})
	return nil
}

func (s *Server) stats(c echo.Context, _ chat.Staff) error {
	n, err := s.svc.Numbers(c.Request().Context())
	return s.ok(c, struct {
		chat.Numbers
		Uptime int64 `json:"server_uptime"` // seconds
	}{n, int64(s.cfg.Now().Sub(s.started).Seconds())}, err)
}

// An Alert is a rule of deploy/prometheus that should fire, as far as this node can determine by itself.
type Alert struct {
	Name     string `json:"name"` // of the rule
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
}

func (s *Server) alerts(c echo.Context, _ chat.Staff) error {
	var alerts []Alert
	if s.cfg.Alerts != nil {
		ctx, cancel := context.WithTimeout(c.Request().Context(), readyWithin)
		defer cancel()
		alerts = s.cfg.Alerts(ctx)
	}
	return s.ok(c, list(alerts), nil)
}

func (s *Server) audit(c echo.Context, _ chat.Staff) error {
	return listed(s, c, func(ctx context.Context, q *query, p chat.Paging) (l chat.Listing[chat.AuditEntry], err error) {
		what := chat.AuditQuery{
			Level: chat.Level(c.QueryParam("level")), Module: chat.Module(c.QueryParam("module")), Target: c.QueryParam("target"),
			BeforeID: q.id("before_id"),
		}
		if c.QueryParam("user_id") != "" {
			who := q.id("user_id")
			what.UserID = &who
		}
		if q.err != nil {
			return l, q.err
		}
		return s.svc.Audit(ctx, what, p)
	})
}

func (s *Server) broadcast(c echo.Context, by chat.Staff) error {
	var body struct {
		Message string `json:"message"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	n, err := s.svc.Broadcast(c.Request().Context(), by, body.Message)
	return s.created(c, n, err)
}

func (s *Server) accounts(c echo.Context, _ chat.Staff) error {
	return listed(s, c, func(ctx context.Context, _ *query, p chat.Paging) (chat.Listing[chat.Account], error) {
		return s.svc.Accounts(ctx, chat.AccountQuery{
			Name: c.QueryParam("username"), Phone: c.QueryParam("phone"),
			Status: chat.AccountStatus(c.QueryParam("status")), Role: chat.AccountRole(c.QueryParam("role")),
		}, p)
	})
}

func (s *Server) onlineUsers(c echo.Context, _ chat.Staff) error {
	return listed(s, c, func(ctx context.Context, _ *query, p chat.Paging) (chat.Listing[chat.Present], error) {
		return s.svc.OnlineUsers(ctx, p)
	})
}

// ofUser calls call with the user's id in the path, and answers with its result.
func ofUser[T any](s *Server, c echo.Context, call func(ctx context.Context, userID int64) (T, error)) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	got, err := call(c.Request().Context(), id)
	return s.ok(c, got, err)
}

func (s *Server) account(c echo.Context, _ chat.Staff) error { return ofUser(s, c, s.svc.Account) }

func (s *Server) analysis(c echo.Context, _ chat.Staff) error { return ofUser(s, c, s.svc.Analyse) }

// loggedOut is the answer of logoutUser.
type loggedOut struct {
	UserID int64 `json:"user_id"`
	Ended  int   `json:"sessions_ended"`
}

func (s *Server) logoutUser(c echo.Context, by chat.Staff) error {
	var body struct {
		Reason string `json:"reason"`
	}
	if err := decodeIfAny(c, &body); err != nil {
		return err
	}
	return ofUser(s, c, func(ctx context.Context, id int64) (loggedOut, error) {
		ended, err := s.svc.LogoutUser(ctx, by, id, body.Reason)
		return loggedOut{id, ended}, err
	})
}

// bannedUser is the answer of banUser.
type bannedUser struct {
	loggedOut
	Status chat.AccountStatus `json:"status"`
	Reason string             `json:"reason"`
	Until  time.Time          `json:"until,omitzero"` // omitted: permanent
}

func (s *Server) banUser(c echo.Context, by chat.Staff) error {
	var body struct {
		Duration int64  `json:"duration"` // seconds
		Reason   string `json:"reason"`
	}
	if err := decodeIfAny(c, &body); err != nil {
		return err
	}
	d, err := seconds(body.Duration)
	if err != nil {
		return err
	}
	return ofUser(s, c, func(ctx context.Context, id int64) (bannedUser, error) {
		ban, ended, err := s.svc.BanUser(ctx, by, id, body.Reason, d)
		return bannedUser{loggedOut{id, ended}, chat.AccountBanned, ban.Reason, ban.Until}, err
	})
}

// seconds converts the duration of a body, in seconds.
func seconds(n int64) (time.Duration, error) {
	const most = 1 << 32 // does not overflow; the domain has a lower limit
	if n < 0 || n > most {
		return 0, invalid("duration is %d, but must be a number of seconds; 0, or omitted, is permanent", n)
	}
	return time.Duration(n) * time.Second, nil
}

func (s *Server) unbanUser(c echo.Context, by chat.Staff) error {
	return ofUser(s, c, func(ctx context.Context, id int64) (chat.Account, error) {
		if err := s.svc.UnbanUser(ctx, by, id); err != nil {
			return chat.Account{}, err
		}
		return s.svc.Account(ctx, id)
	})
}

func (s *Server) removeUser(c echo.Context, by chat.Staff) error {
	return ofUser(s, c, func(ctx context.Context, id int64) (nothing, error) { return nothing{}, s.svc.RemoveUser(ctx, by, id) })
}

func (s *Server) setRole(c echo.Context, by chat.Staff) error {
	var body struct {
		Role string `json:"role"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	return ofUser(s, c, func(ctx context.Context, id int64) (chat.Account, error) {
		if _, err := s.svc.SetRole(ctx, by, id, chat.AccountRole(body.Role)); err != nil {
			return chat.Account{}, err
		}
		return s.svc.Account(ctx, id)
	})
}

// resetPassword answers with the new password, which is generated if the body has none.
func (s *Server) resetPassword(c echo.Context, by chat.Staff) error {
	var body struct {
		Password string `json:"password"`
	}
	if err := decodeIfAny(c, &body); err != nil {
		return err
	}
	type answer struct {
		UserID   int64  `json:"user_id"`
		Password string `json:"password"`
	}
	return ofUser(s, c, func(ctx context.Context, id int64) (answer, error) {
		set, err := s.svc.ResetUserPassword(ctx, by, id, body.Password)
		return answer{id, set}, err
	})
}

func (s *Server) resetTwoFactor(c echo.Context, by chat.Staff) error {
	return ofUser(s, c, func(ctx context.Context, id int64) (loggedOut, error) {
		ended, err := s.svc.ResetTwoFactor(ctx, by, id)
		return loggedOut{id, ended}, err
	})
}

func (s *Server) userSessions(c echo.Context, _ chat.Staff) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.SessionInfo], error) {
		return s.svc.UserSessions(c.Request().Context(), id, p)
	})
}
