package rest

import (
	"context"
	"math"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// send answers 200 and not 201, as existing clients expect.
func (s *Server) send(c echo.Context, me chat.Caller) error {
	var body chat.Draft
	if err := decode(c, &body); err != nil {
		return err
	}
	m, err := s.svc.Send(c.Request().Context(), me, body)
	return s.ok(c, m, err)
}

// A page is the envelope of a list with a total.
type page struct {
	envelope
	Total     int64 `json:"total"`
	MoreTotal bool  `json:"more_total,omitempty"` // there are more than Total
	Limit     int   `json:"limit"`
	Offset    int   `json:"offset"`
	HasMore   bool  `json:"has_more"`
}

func (s *Server) messages(c echo.Context, me chat.Caller) error {
	h, err := historyOf(c)
	if err != nil {
		return err
	}
	p, err := s.svc.Messages(c.Request().Context(), me, h)
	if err != nil {
		return err
	}
	s.write(c, http.StatusOK, page{
		envelope: envelope{Success: true, Data: list(p.Messages)},
		Total:    p.Total, Limit: p.Limit, Offset: p.Offset, HasMore: p.HasMore,
	})
	return nil
}

// Sizes of a page of messages.
const (
	defaultLimit = 50
	mostLimit    = 200
)

// limit reads the size of a page.
func (q *query) limit(otherwise int64) int {
	n := q.number("limit", otherwise, 0, math.MaxInt32)
	if n == 0 {
		n = otherwise
	}
	return int(min(n, mostLimit))
}

// target reads the conversation.
func (q *query) target() chat.Target {
	return chat.Target{
		ChatID:     q.number("chat_id", 0, 0, math.MaxInt64),
		ReceiverID: q.number("receiver_id", 0, 0, math.MaxInt64),
	}
}

// historyOf reads the parameters of a list of messages. Pages count from 1, and page takes precedence over offset. As
// in a body, 0 is the same as an omitted parameter.
func historyOf(c echo.Context) (chat.History, error) {
	q := query{c: c}
	h := chat.History{
		Target: q.target(),
		Limit:  q.limit(defaultLimit),
		Offset: int(q.number("offset", 0, 0, math.MaxInt32)),
	}
	if page := q.number("page", 0, 0, math.MaxInt32); page > 0 {
		h.Offset = int(page-1) * h.Limit
	}
	if c.QueryParam("after_seq") != "" {
		after := q.number("after_seq", 0, 0, math.MaxInt64)
		h.AfterSeq = &after
	}
	h.BeforeSeq = q.number("before_seq", 0, 0, math.MaxInt64)
	return h, q.err
}

func (s *Server) unread(c echo.Context, me chat.Caller) error {
	n, err := s.svc.Unread(c.Request().Context(), me)
	return s.ok(c, struct {
		Count int64 `json:"count"`
	}{n}, err)
}

func (s *Server) dialogs(c echo.Context, me chat.Caller) error {
	return parts(s, c, func(p chat.Paging) (chat.Part[chat.Dialog], error) {
		return s.svc.Dialogs(c.Request().Context(), me, p)
	})
}

func (s *Server) typing(c echo.Context, me chat.Caller) error {
	body := struct {
		chat.Target
		Typing bool `json:"is_typing"`
	}{Typing: true}
	if err := decode(c, &body); err != nil {
		return err
	}
	return s.ok(c, nothing{}, s.svc.Typing(c.Request().Context(), me, body.Target, body.Typing))
}

func (s *Server) edit(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	var body struct {
		Content string `json:"content"`
	}
	if err := decode(c, &body); err != nil {
		return err
	}
	m, err := s.svc.Edit(c.Request().Context(), me, id, body.Content)
	return s.ok(c, m, err)
}

func (s *Server) message(c echo.Context, me chat.Caller) error {
	return s.withMessage(c, me, s.svc.Message)
}

// deleteMessage deletes a message for everybody, or for the caller alone.
func (s *Server) deleteMessage(c echo.Context, me chat.Caller) error {
	switch who := c.QueryParam("for"); who {
	case "", "all":
		return s.withMessage(c, me, s.svc.Delete)
	case chat.ForMe:
		return s.withMessage(c, me, s.svc.DeleteForMe)
	default:
		return invalid("for in the query is %.16q, but must be me or all", who)
	}
}

func (s *Server) deleteDialog(c echo.Context, me chat.Caller) error {
	q := query{c: c}
	target, upTo := q.target(), q.number("up_to_seq", 0, 0, math.MaxInt64)
	if q.err != nil {
		return q.err
	}
	d, err := s.svc.DeleteDialog(c.Request().Context(), me, target, upTo)
	return s.ok(c, d, err)
}

// A searchPage is the envelope of a page of search results.
type searchPage struct {
	envelope
	Limit   int   `json:"limit"`
	HasMore bool  `json:"has_more"`
	Next    int64 `json:"next_before_id,omitempty"`
}

func (s *Server) searchMessages(c echo.Context, me chat.Caller) error {
	q := query{c: c}
	t := chat.TextSearch{
		Target: q.target(), Text: c.QueryParam("q"), BeforeID: q.number("before_id", 0, 0, math.MaxInt64), Limit: q.limit(defaultLimit),
	}
	if q.err != nil {
		return q.err
	}
	f, err := s.svc.SearchMessages(c.Request().Context(), me, t)
	if err != nil {
		return err
	}
	s.write(c, http.StatusOK, searchPage{envelope{Success: true, Data: list(f.Messages)}, t.Limit, f.Next != 0, f.Next})
	return nil
}

func (s *Server) read(c echo.Context, me chat.Caller) error {
	return s.withMessage(c, me, s.svc.MarkRead)
}

func (s *Server) recall(c echo.Context, me chat.Caller) error {
	return s.withMessage(c, me, s.svc.Recall)
}

func (s *Server) receipts(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	r, err := s.svc.Receipts(c.Request().Context(), me, id)
	return s.ok(c, r, err)
}

// withMessage calls call with the id in the path, and answers with the message.
func (s *Server) withMessage(c echo.Context, me chat.Caller,
	call func(context.Context, chat.Caller, int64) (chat.Message, error),
) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	m, err := call(c.Request().Context(), me, id)
	return s.ok(c, m, err)
}
