package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// An envelope is the answer of a call that succeeded. Data is never null.
type envelope struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
}

// nothing is the data of a call that returns none.
type nothing struct{}

// A part is the envelope for a part of a list.
type part struct {
	envelope
	Limit   int  `json:"limit"`
	Offset  int  `json:"offset"`
	HasMore bool `json:"has_more"`
}

// parts answers with the part of a list that the query requests.
func parts[T any](s *Server, c echo.Context, load func(chat.Paging) (chat.Part[T], error)) error {
	q := query{c: c}
	p := q.paging()
	if q.err != nil {
		return q.err
	}
	got, err := load(p)
	if err != nil {
		return err
	}
	s.write(c, http.StatusOK, part{
		envelope: envelope{Success: true, Data: list(got.Items)}, Limit: got.Limit, Offset: got.Offset, HasMore: got.HasMore,
	})
	return nil
}

// ok answers 200 with data, or returns err.
func (s *Server) ok(c echo.Context, data any, err error) error {
	return s.answer(c, http.StatusOK, data, err)
}

// created answers 201 with data, or returns err.
func (s *Server) created(c echo.Context, data any, err error) error {
	return s.answer(c, http.StatusCreated, data, err)
}

func (s *Server) answer(c echo.Context, status int, data any, err error) error {
	if err == nil {
		s.write(c, status, envelope{Success: true, Data: data})
	}
	return err
}

// write sends v as JSON. All answers in JSON go through it.
func (s *Server) write(c echo.Context, status int, v any) {
	body, err := encode(v)
	if err != nil { // a bug: v cannot be encoded
		s.cfg.Log.ErrorContext(c.Request().Context(), "answer not encoded", "route", c.Path(), "err", err)
		status, body = http.StatusInternalServerError, []byte(`{"success":false,"error":"internal error","details":""}`)
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON) // echo would keep an earlier one
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	s.setAnswerDeadline(c, len(body))
	if err := c.Blob(status, echo.MIMEApplicationJSON, body); err != nil {
		s.cfg.Log.DebugContext(c.Request().Context(), "answer not written", "route", c.Path(), "err", err)
	}
}

// list returns items, or an empty list for nil, which is [] in JSON and not null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// encode is json.Marshal without escapes for HTML: answers are not HTML, and are easier to read without.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
