package rest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// An envelope is what a call that worked answers. Its data is never null.
type envelope struct {
	Success bool `json:"success"`
	Data    any  `json:"data"`
}

// nothing is the data of a call that has nothing to tell.
type nothing struct{}

// A part is the envelope of part of a list.
type part struct {
	envelope
	Limit   int  `json:"limit"`
	Offset  int  `json:"offset"`
	HasMore bool `json:"has_more"`
}

// parts answers with the part of a list that the query asks for.
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

// ok answers 200 with data, unless err says otherwise.
func (s *Server) ok(c echo.Context, data any, err error) error {
	return s.answer(c, http.StatusOK, data, err)
}

// created answers 201 with data, unless err says otherwise.
func (s *Server) created(c echo.Context, data any, err error) error {
	return s.answer(c, http.StatusCreated, data, err)
}

func (s *Server) answer(c echo.Context, status int, data any, err error) error {
	if err == nil {
		s.write(c, status, envelope{Success: true, Data: data})
	}
	return err
}

// write sends v as JSON. It is the only place that does.
func (s *Server) write(c echo.Context, status int, v any) {
	body, err := encode(v)
	if err != nil { // a type of ours that JSON cannot hold
		s.cfg.Log.ErrorContext(c.Request().Context(), "answer not encoded", "route", c.Path(), "err", err)
		status, body = http.StatusInternalServerError, []byte(`{"success":false,"error":"internal error","details":""}`)
	}
	header := c.Response().Header()
	header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON) // echo keeps one that was set before
	header.Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	s.hurryAnswer(c, len(body))
	if err := c.Blob(status, echo.MIMEApplicationJSON, body); err != nil {
		s.cfg.Log.DebugContext(c.Request().Context(), "answer not written", "route", c.Path(), "err", err)
	}
}

// list makes a list that is [] in JSON where there is nothing in it.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// encode is json.Marshal without the escapes for HTML, which nobody makes of
// an answer: they are there to be read.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
