// Package imclient is a client of the chat server, over HTTP and WebSocket, for
// tests and for imload. It uses only the server's API, as any client does.
//
// [Register] creates an [Account]. [Account.Do] makes one call, and [Account.Dial]
// opens a WebSocket.
package imclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// An Account is a user of a server, with the tokens of one session. Without a token, its
// calls are anonymous. [Register] returns one. It is a value: its methods do not change
// it, and are safe for concurrent use.
type Account struct {
	URL     string // of the server: http://host:port
	ID      int64  // of the user
	Token   string // the access token
	Refresh string // the refresh token
}

const (
	// callTimeout bounds a call with its answer, and the opening of a WebSocket.
	// The caller's context may end them earlier.
	callTimeout = 60 * time.Second
	maxAnswer   = 64 << 20 // bytes
)

// A Profile describes a new account. Username and Nickname may be empty.
type Profile struct {
	Phone    string `json:"phone"`
	Username string `json:"username,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Password string `json:"password"`
}

// Register creates an account on the server at url, http://host:port, and logs it
// in. If the server refuses, the error is an [*Error].
func Register(ctx context.Context, url string, p Profile) (Account, error) {
	var login struct {
		Token   string
		Refresh string `json:"refresh_token"`
		User    struct{ ID int64 }
	}
	err := Account{URL: url}.Do(ctx, http.MethodPost, "/api/auth/register", p, &login)
	return Account{URL: url, ID: login.User.ID, Token: login.Token, Refresh: login.Refresh}, err
}

// At returns the same account as a client of another node.
func (a Account) At(url string) Account {
	a.URL = url
	return a
}

// A File is the body of an upload. Type is application/octet-stream if empty.
type File struct {
	Name, Type string
	Content    []byte
}

// Raw is a body that is sent unchanged, with the content type of JSON.
type Raw string

// An Answer is the server's answer, whatever the status.
type Answer struct {
	Status int
	Body   []byte
}

// Decode decodes the field data of the answer into data. If data is nil, it does
// nothing.
func (a Answer) Decode(data any) error {
	if data == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, &struct{ Data any }{data}); err != nil {
		return fmt.Errorf("answer %.200q: %w", a.Body, err)
	}
	return nil
}

// An Error is an answer with a status of 300 or more.
type Error struct {
	Method, Path string
	Answer
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %d %s: %s", e.Method, e.Path, e.Status, http.StatusText(e.Status), strings.TrimSpace(string(e.Body)))
}

// Do makes a call as [Account.Ask] does, and decodes the field data of the answer
// into data, unless that is nil. If the status is 300 or more, the error is an
// [*Error].
func (a Account) Do(ctx context.Context, method, path string, body, data any) error {
	answer, err := a.Ask(ctx, method, path, body)
	if err != nil {
		return err
	}
	if answer.Status >= 300 {
		return &Error{method, path, answer}
	}
	return answer.Decode(data)
}

// Ask makes a call. path includes the query. The body is nil, a [File], [Raw], or a
// value that is encoded as JSON. An error means that no answer came within a minute or
// before ctx ended, or that the answer has more than 64 MiB; a status is never an
// error.
func (a Account) Ask(ctx context.Context, method, path string, body any) (Answer, error) {
	content, contentType, err := encode(body)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.URL+path, content)
	if err != nil {
		return Answer{}, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if a.Token != "" {
		req.Header.Set("Authorization", "Bearer "+a.Token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return Answer{res.StatusCode, answer}, nil
}

func encode(body any) (content io.Reader, contentType string, err error) {
	switch b := body.(type) {
	case nil:
		return nil, "", nil
	case File:
		return b.encode()
	case Raw:
		return strings.NewReader(string(b)), "application/json", nil
	}
	text, err := json.Marshal(body)
	return bytes.NewReader(text), "application/json", err
}

func (f File) encode() (content io.Reader, contentType string, err error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	header := make(textproto.MIMEHeader)
	header.Set("Content-Disposition", multipart.FileContentDisposition("file", f.Name))
	header.Set("Content-Type", "application/octet-stream")
	if f.Type != "" {
		header.Set("Content-Type", f.Type)
	}
	part, err := w.CreatePart(header)
	if err == nil {
		_, err = part.Write(f.Content)
	}
	if err == nil {
		err = w.Close()
	}
	return &form, w.FormDataContentType(), err
}
