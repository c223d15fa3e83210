package imclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// A Conn is a WebSocket of an account. Reading and writing may go on at once, by
// one goroutine each. Who counts in CPU time reads and writes by websocket.Conn.
type Conn struct{ *websocket.Conn }

// A Frame is one from the server. Size is that of its JSON in bytes.
type Frame struct {
	Type    string
	Payload json.RawMessage
	Size    int `json:"-"`
}

// maxFrame is the size of the largest frame from the server in bytes: a sync's.
const maxFrame = 32 << 20

// Dial opens a WebSocket. An [*Error] is the server's refusal.
func (a Account) Dial(ctx context.Context) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	//nolint:bodyclose // the library closes it
	conn, res, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(a.URL, "http")+"/ws?token="+a.Token, nil)
	switch {
	case err == nil:
		conn.SetReadLimit(maxFrame)
		return &Conn{conn}, nil
	case res != nil:
		return nil, &Error{http.MethodGet, "/ws", Answer{res.StatusCode, []byte(err.Error())}}
	}
	return nil, fmt.Errorf("connect: %w", err)
}

// ReadFrame waits for the next frame. When ctx ends so does the connection.
func (c *Conn) ReadFrame(ctx context.Context) (Frame, error) {
	_, text, err := c.Read(ctx)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Size: len(text)}
	if err := json.Unmarshal(text, &f); err != nil {
		return Frame{}, fmt.Errorf("frame %.200q: %w", text, err)
	}
	return f, nil
}

// WriteFrame sends a frame, and returns the size of its JSON in bytes. It has
// a minute, if ctx has no less.
func (c *Conn) WriteFrame(ctx context.Context, frameType string, payload any) (size int, err error) {
	text, err := json.Marshal(struct {
		Type    string `json:"type"`
		Payload any    `json:"payload"`
	}{frameType, payload})
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return len(text), c.Write(ctx, websocket.MessageText, text)
}

// A Message is one as the server tells of it.
type Message struct {
	ID, Seq     int64
	SenderID    int64  `json:"sender_id"`
	ReceiverID  int64  `json:"receiver_id"`
	ChatID      int64  `json:"chat_id"`
	FileID      int64  `json:"file_id"`
	ClientMsgID string `json:"client_msg_id"`
	Content     string
	Status      string
}
