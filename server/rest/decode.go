package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/jsontype"
)

// decode decodes the body, which must be one JSON object, into into.
func decode(c echo.Context, into any) error {
	body, err := readBody(c)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		return invalid("the body is empty: send a JSON object")
	}
	return decodeJSON(body, into)
}

// decodeIfAny is decode for calls whose body is optional.
func decodeIfAny(c echo.Context, into any) error {
	body, err := readBody(c)
	if err != nil || len(body) == 0 {
		return err
	}
	return decodeJSON(body, into)
}

// A wholeBody is a body that has been read into memory.
type wholeBody struct {
	io.ReadCloser
	text []byte
}

func bodyOf(text []byte) wholeBody {
	return wholeBody{io.NopCloser(bytes.NewReader(text)), text}
}

// readBody returns the whole body without surrounding white space. The size and the time are limited by the caller. A
// second call returns the same bytes.
func readBody(c echo.Context) ([]byte, error) {
	if whole, ok := c.Request().Body.(wholeBody); ok {
		return whole.text, nil
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, bodyError(err)
	}
	// From now on, net/http reads ahead to detect that the client disconnects. The deadline of the body must not end that.
	_ = http.NewResponseController(c.Response()).SetReadDeadline(time.Time{})
	return bytes.TrimSpace(body), nil
}

func decodeJSON(body []byte, into any) error {
	if err := checkForm(body); err != nil {
		return err
	}
	if !utf8.Valid(body) {
		return invalid("the body is not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return typeError(e, into)
	}
	if name, ok := unknownField(err); ok {
		return invalid("the body has no field %.64q: it takes %s", name, strings.Join(fieldNames(into), ", "))
	}
	switch {
	case err != nil:
		return invalid("the body is not valid JSON: %s", err)
	case dec.InputOffset() < int64(len(body)):
		return invalid("the body is not valid JSON: there is data after the first value")
	case body[0] != '{':
		return errNoObject
	}
	return nil
}

// unknownField returns the name of an unknown field. encoding/json has no error type for it, only a text.
func unknownField(err error) (name string, ok bool) {
	if err == nil {
		return "", false
	}
	quoted, ok := strings.CutPrefix(err.Error(), "json: unknown field ")
	if !ok {
		return "", false
	}
	name, err = strconv.Unquote(quoted)
	return name, err == nil
}

// fieldNames returns the names of the fields that a body may have.
func fieldNames(into any) (names []string) {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(into).Elem()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// checkForm refuses a body with a byte order mark, in UTF-16, or compressed.
func checkForm(body []byte) error {
	begins := func(with string) bool { return bytes.HasPrefix(body, []byte(with)) }
	switch {
	case begins("\xef\xbb\xbf"):
		return unsupported("the body begins with a byte order mark: send UTF-8 without one")
	case begins("\xff\xfe"), begins("\xfe\xff"):
		return unsupported("the body is UTF-16: send UTF-8")
	case begins("\x1f\x8b"):
		return unsupported("the body is compressed (gzip): send it uncompressed")
	}
	return nil
}

var errNoObject = invalid("the body must be a JSON object")

// typeError names the field with the wrong type, and the right type.
func typeError(e *json.UnmarshalTypeError, into any) error {
	if text := jsontype.Describe(e, into); text != "" {
		return invalid("%s", text)
	}
	return errNoObject
}

// pathID returns the id called name in the path.
func pathID(c echo.Context, name string) (int64, error) {
	id, err := strconv.ParseInt(c.Param(name), 10, 64)
	if err != nil || id <= 0 {
		return 0, invalid("%s in the path must be a positive number", name)
	}
	return id, nil
}

// bodyID checks a required id of a body.
func bodyID(name string, id int64) error {
	if id <= 0 {
		return invalid("%s is required, and must be a positive number", name)
	}
	return nil
}

// A query reads numbers from the URL. err is the first error.
type query struct {
	c   echo.Context
	err error
}

// paging returns the requested part of a list. As in a body, 0 is the same as an omitted parameter.
func (q *query) paging() chat.Paging {
	return chat.Paging{
		Limit:  int(q.number("limit", 0, 0, math.MaxInt32)),
		Offset: int(q.number("offset", 0, 0, math.MaxInt32)),
		Page:   int(q.number("page", 0, 0, math.MaxInt32)),
	}
}

// number returns the parameter called name, or otherwise if it is missing. It must be between least and most.
func (q *query) number(name string, otherwise, least, most int64) int64 {
	text := q.c.QueryParam(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case q.err != nil:
	case err != nil && !errors.Is(err, strconv.ErrRange):
		q.err = invalid("%s in the query must be a number", name)
	case err != nil || n < least || n > most:
		q.err = invalid("%s in the query must be a number from %d to %d", name, least, most)
	}
	return n
}
