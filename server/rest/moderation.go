package rest

import (
	"context"
	"math"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// id reads the id called name, or 0 if it is missing.
func (q *query) id(name string) int64 { return q.number(name, 0, 0, math.MaxInt64) }

// limitOf reads the size of a page from the parameter called name.
func (q *query) limitOf(name string) int { return int(q.number(name, 0, 0, math.MaxInt32)) }

func (s *Server) allChats(c echo.Context, _ chat.Staff) error {
	return listed(s, c, func(ctx context.Context, _ *query, p chat.Paging) (chat.Listing[chat.Conversation], error) {
		return s.svc.Chats(ctx, chat.GroupQuery{Title: c.QueryParam("title")}, p)
	})
}

func (s *Server) removeChat(c echo.Context, by chat.Staff) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	return s.ok(c, nothing{}, s.svc.DeleteChat(c.Request().Context(), by, id))
}

// A messagePage is the envelope of a page of other people's messages. Its offset is 0.
type messagePage struct {
	part
	Next int64 `json:"next_before_id,omitempty"`
}

// allMessages pages by before_id, because new messages would shift pages with an offset.
func (s *Server) allMessages(c echo.Context, by chat.Staff) error {
	q := query{c: c}
	what := chat.ModerationQuery{
		ConversationID: q.id("chat_id"), SenderID: q.id("user_id"), BeforeID: q.id("before_id"), Limit: q.limit(defaultLimit),
	}
	if q.err != nil {
		return q.err
	}
	got, err := s.svc.ReadMessages(c.Request().Context(), by, what)
	if err != nil {
		return err
	}
	s.write(c, http.StatusOK, messagePage{
		part{envelope: envelope{Success: true, Data: list(got.Messages)}, Limit: what.Limit, HasMore: got.Next != 0}, got.Next,
	})
	return nil
}

func (s *Server) removeMessage(c echo.Context, by chat.Staff) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	m, err := s.svc.RemoveMessage(c.Request().Context(), by, id)
	m.Content = "" // also if the message was deleted before
	return s.ok(c, m, err)
}

// report answers 201, or 200 if the same report is pending already.
func (s *Server) report(c echo.Context, me chat.Caller) error {
	var body struct {
		MessageID int64  `json:"message_id"`
		UserID    int64  `json:"user_id"`
		Reason    string `json:"reason"`
		Comment   string `json:"comment"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	r, made, err := s.svc.Report(c.Request().Context(), me, chat.Report{
		MessageID: body.MessageID, UserID: body.UserID, Reason: body.Reason, Comment: body.Comment,
	})
	if made {
		return s.created(c, r, err)
	}
	return s.ok(c, r, err)
}

func (s *Server) pendingReports(c echo.Context, _ chat.Staff) error { return s.listReports(c, false) }

// reports lists the handled reports.
func (s *Server) reports(c echo.Context, _ chat.Staff) error { return s.listReports(c, true) }

func (s *Server) listReports(c echo.Context, handled bool) error {
	return listed(s, c, func(ctx context.Context, q *query, p chat.Paging) (l chat.Listing[chat.Report], err error) {
		about := q.id("user_id")
		if q.err != nil {
			return l, q.err
		}
		return s.svc.Reports(ctx, chat.ReportQuery{Handled: handled, UserID: about}, p)
	})
}

func (s *Server) handleReport(c echo.Context, by chat.Staff) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	var body struct {
		Action   string `json:"action"`
		Note     string `json:"note"`
		Duration int64  `json:"duration"` // seconds, of a ban
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	d, err := seconds(body.Duration)
	if err != nil {
		return err
	}
	r, err := s.svc.HandleReport(c.Request().Context(), by, id, chat.Verdict{
		Action: chat.ReportAction(body.Action), Note: body.Note, Duration: d,
	})
	return s.ok(c, r, err)
}
