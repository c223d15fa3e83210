package rest_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// A WebSocket outlives its handler and the deadlines of requests.
func TestASocketIsHandedOver(t *testing.T) {
	const patience = 50 * time.Millisecond
	var served sync.WaitGroup
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.WebSocket = func(w http.ResponseWriter, r *http.Request) error {
			conn, err := websocket.Accept(w, r, nil)
			if err != nil {
				return err
			}
			served.Go(func() { echoLate(conn, 4*patience) })
			return nil
		}
	})
	w.server.Impatient(patience)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, w.url+"/ws?token=x", nil)
	must(t, err)
	must(t, conn.Write(ctx, websocket.MessageText, []byte("hello")))
	_, text, err := conn.Read(ctx)
	must(t, err)
	if string(text) != "hello" {
		t.Errorf("echo %q", text)
	}
	must(t, conn.Close(websocket.StatusNormalClosure, ""))
	served.Wait()
}

// echoLate answers one message after a delay.
func echoLate(conn *websocket.Conn, after time.Duration) {
	defer func() { _ = conn.CloseNow() }()
	ctx := context.Background()
	kind, text, err := conn.Read(ctx)
	<-time.After(after)
	if err == nil && conn.Write(ctx, kind, text) == nil {
		_, _, _ = conn.Read(ctx) // until the close
	}
}

// With many concurrent senders, each gets its own answer, and the conversation has no gap.
func TestManyAtOnce(t *testing.T) {
	const senders, each = 8, 10
	w := open(t)
	ann, ben := w.join("ann"), w.join("ben")
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for i := range each {
				content := fmt.Sprint("message ", i, " of ", s)
				r := w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "content": content})
				if r.status != 200 || text(r.at("data", "content")) != content {
					t.Errorf("%s: %d %s", content, r.status, r.body)
				}
				if r := w.do("GET", "/api/users/me", ben.token, nil); r.num("data", "id") != ben.id {
					t.Errorf("ben is %s", r.body)
				}
			}
		})
	}
	all.Wait()
	r := w.do("GET", fmt.Sprint("/api/messages?after_seq=0&limit=200&receiver_id=", ben.id), ann.token, nil).want(200)
	for i, seq := range seqs(r) {
		if seq != int64(i+1) {
			t.Fatalf("message %d has seq %d", i+1, seq)
		}
	}
	if n := len(r.list("data")); n != senders*each {
		t.Errorf("%d messages", n)
	}
}
