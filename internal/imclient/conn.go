package imclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/coder/websocket"
)

// A Conn is a WebSocket of an account. One goroutine may read while others write. The
// caller closes it, with Close or CloseNow. To save CPU time, use Read and Write of
// websocket.Conn instead of ReadFrame and WriteFrame.
type Conn struct{ *websocket.Conn }

// A Frame is a frame from the server. Size is the size of its JSON in bytes.
type Frame struct {
	Type    string
	Payload json.RawMessage
	Size    int `json:"-"`
}

// maxFrame is the largest frame that the server sends, in bytes: the answer to sync.
const maxFrame = 32 << 20

// Dial opens a WebSocket, within a minute. If the server refuses, the error is an
// [*Error]. The caller closes the Conn.
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

// ReadFrame waits for the next frame. If ctx ends, the connection is closed.
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

// WriteFrame sends a frame, and returns the size of its JSON in bytes. It gives up
// after a minute, or when ctx ends.
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

// A Message is a message in the server's answers and frames.
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
