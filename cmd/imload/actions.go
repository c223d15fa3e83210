package main

import (
	"bytes"
	"context"
	"fmt"
	"mime/multipart"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// What a mixed run does besides messages: each action once in this many messages.
const (
	readEvery   = 4
	typingEvery = 5
	lookEvery   = 10 // the list of dialogs
	editEvery   = 20
	fileEvery   = 50
	callEvery   = 100
	fileSize    = 64 << 10
)

// actions perform these over HTTP, a few at a time, while messages are sent. If the queue is full, an action is
// skipped: a slow server must not delay the messages.
type actions struct {
	plan  *plan
	tally *tally
	queue chan func(context.Context)
	stop  sync.Once
	busy  sync.WaitGroup
	calls sync.Mutex // one call at a time, because a user can be in only one
}

// newActions starts the workers. Acknowledgements of messages trigger the actions.
func newActions(p *plan, t *tally) *actions {
	const atOnce = 4
	a := &actions{plan: p, tally: t, queue: make(chan func(context.Context), 64)}
	for range atOnce {
		a.busy.Go(func() {
			for act := range a.queue {
				ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
				act(ctx)
				cancel()
			}
		})
	}
	t.onAck(a.follow)
	return a
}

// wait returns when all queued actions are done; no new ones are queued.
func (a *actions) wait() {
	a.stop.Do(func() {
		a.tally.onAck(nil)
		close(a.queue)
	})
	a.busy.Wait()
}

// follow queues the actions that are due after message n, which the server stored as id. The tally calls it with its
// lock held.
func (a *actions) follow(n int, id int64) {
	r := a.plan.route(n)
	peer := r.peer
	if r.room != nil {
		peer = r.room.first + (r.from-r.room.first+1)%(r.room.last-r.room.first)
	}
	from, to := a.plan.clients[r.from].account, a.plan.clients[peer].account
	due := func(every int, name string, act func(ctx context.Context, url string) error) {
		if n%every != 0 {
			return
		}
		select {
		case a.queue <- func(ctx context.Context) { a.tally.acted(name, act(ctx, a.plan.o.base(n))) }:
		default:
			a.tally.left++
		}
	}
	message := fmt.Sprint("/api/messages/", id)
	due(readEvery, "read", func(ctx context.Context, url string) error {
		return call(ctx, http.MethodPost, url+message+"/read", to.token, nil, nil)
	})
	due(lookEvery, "dialogs", func(ctx context.Context, url string) error {
		return call(ctx, http.MethodGet, url+"/api/messages/dialogs", to.token, nil, nil)
	})
	due(editEvery, "edit", func(ctx context.Context, url string) error {
		return call(ctx, http.MethodPut, url+message, from.token, map[string]string{"content": "edited"}, nil)
	})
	due(fileEvery, "file", func(ctx context.Context, url string) error { return sendFile(ctx, url, from, to) })
	due(callEvery, "call", func(ctx context.Context, url string) error {
		a.calls.Lock()
		defer a.calls.Unlock()
		return callAndHangUp(ctx, url, from, to)
	})
}

// typing sends a typing event over the WebSocket.
func (a *actions) typing(ctx context.Context, c *client, target string, id int64) error {
	err := c.conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"typing","payload":{%q:%d,"is_typing":true}}`, target, id))
	a.tally.acted("typing", err)
	return err
}

// sendFile uploads a file and sends it to a user, who downloads it.
func sendFile(ctx context.Context, url string, from, to account) error {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "imload.bin")
	if err != nil {
		return err
	}
	_, _ = part.Write(bytes.Repeat([]byte("imload\x00\n"), fileSize/8)) // writing to memory does not fail
	_ = w.Close()
	var file struct{ ID int64 }
	if err := request(ctx, http.MethodPost, url+"/api/files/upload", from.token, w.FormDataContentType(), &form, &file); err != nil {
		return err
	}
	message := map[string]any{"receiver_id": to.id, "message_type": "file", "content": "file", "file_id": file.ID}
	if err := call(ctx, http.MethodPost, url+"/api/messages", from.token, message, nil); err != nil {
		return err
	}
	return request(ctx, http.MethodGet, fmt.Sprintf("%s/api/files/%d/download", url, file.ID), to.token, "", nil, nil)
}

func callAndHangUp(ctx context.Context, url string, from, to account) error {
	var made struct{ ID string }
	if err := call(ctx, http.MethodPost, url+"/api/calls", from.token, map[string]any{"callee_id": to.id, "type": "audio"}, &made); err != nil {
		return err
	}
	return call(ctx, http.MethodPost, url+"/api/calls/"+made.ID+"/end", from.token, map[string]string{"reason": "user_hangup"}, nil)
}
