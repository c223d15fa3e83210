package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
)

// A client is one connection. It checks what it receives: the content of each message is its number and the time of
// sending.
type client struct {
	account imclient.Account
	conn    *imclient.Conn
	run     *tally
	done    chan struct{}
	err     error // why the connection ended; valid once done is closed

	mu  sync.Mutex
	got map[int]int // how often each message came
}

func dial(ctx context.Context, a imclient.Account, run *tally) (*client, error) {
	conn, err := a.Dial(ctx)
	if err != nil {
		return nil, err
	}
	c := &client{account: a, conn: conn, run: run, done: make(chan struct{}), got: make(map[int]int)}
	go func() {
		defer close(c.done)
		c.err = c.read()
	}()
	return c, nil
}

// These texts identify frames without decoding them.
var (
	isNew   = []byte(`"message.new"`)
	isAck   = []byte(`"message.ack"`)
	isError = []byte(`"error"`)
)

// read reads frames until the connection ends. It does not let imclient decode them, because a load generator must use
// less CPU time than the server that it measures.
func (c *client) read() error {
	for {
		_, text, err := c.conn.Read(context.Background())
		if err != nil {
			return err
		}
		head := text[:min(len(text), 40)]
		switch {
		case bytes.Contains(head, isNew):
			c.received(text)
		case bytes.Contains(head, isAck):
			c.acked(text)
		case bytes.Contains(head, isError):
			c.run.refused(string(text))
		}
	}
}

// minSize is the smallest size of a message, in bytes: enough for its number and time.
const minSize = 32

// content returns the content of message n: its number, the time in ns since 1970, and padding up to size bytes.
func content(n, size int) string {
	s := strconv.Itoa(n) + " " + strconv.FormatInt(time.Now().UnixNano(), 10) + " "
	return s + strings.Repeat("x", max(0, size-len(s)))
}

func (c *client) received(text []byte) {
	n, sent, ok := parseContent(text)
	if !ok {
		return // the message is not from imload
	}
	c.mu.Lock()
	c.got[n]++
	c.mu.Unlock()
	c.run.delivered(time.Since(sent))
}

// parseContent finds the number and the time of a message without decoding the whole frame, as read does not either.
func parseContent(text []byte) (n int, sent time.Time, ok bool) {
	_, rest, ok := bytes.Cut(text, []byte(`"content":"`))
	if !ok {
		return 0, sent, false
	}
	number, rest, ok1 := bytes.Cut(rest, []byte(" "))
	stamp, _, ok2 := bytes.Cut(rest, []byte(" "))
	n, err1 := strconv.Atoi(string(number))
	ns, err2 := strconv.ParseInt(string(stamp), 10, 64)
	return n, time.Unix(0, ns), ok1 && ok2 && err1 == nil && err2 == nil
}

func (c *client) acked(text []byte) {
	var f struct {
		Payload struct {
			ClientMsgID string `json:"client_msg_id"`
			ID          int64
		}
	}
	if err := json.Unmarshal(text, &f); err != nil {
		return
	}
	if n, err := strconv.Atoi(f.Payload.ClientMsgID[strings.LastIndexByte(f.Payload.ClientMsgID, '-')+1:]); err == nil {
		c.run.ack(n, f.Payload.ID)
	}
}

// send writes message n to a group or a user.
func (c *client) send(ctx context.Context, run string, n, size int, target string, id int64) error {
	text := fmt.Sprintf(`{"type":"message.send","payload":{%q:%d,"content":%q,"client_msg_id":"%s-%d"}}`,
		target, id, content(n, size), run, n)
	return c.conn.Write(ctx, websocket.MessageText, []byte(text))
}

// times returns how often message n came.
func (c *client) times(n int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got[n]
}

func (c *client) close() {
	_ = c.conn.CloseNow()
	<-c.done
}
