package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
)

// What a mixed run does besides messages: each action after every so many messages.
const (
	readEvery   = 4
	typingEvery = 5
	lookEvery   = 10 // a request for the list of dialogs
	editEvery   = 20
	fileEvery   = 50
	callEvery   = 100
	fileSize    = 64 << 10 // bytes
)

// actions perform the other actions over HTTP, a few at a time, while messages are sent. If the queue is full, an action
// is skipped, because a slow server must not delay the messages.
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

// wait waits until all queued actions are done. It ends the queueing of new ones.
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
	if r.group != nil {
		peer = r.group.first + (r.from-r.group.first+1)%(r.group.last-r.group.first)
	}
	url := a.plan.o.base(n)
	from, to := a.plan.clients[r.from].account.At(url), a.plan.clients[peer].account.At(url)
	due := func(every int, name string, act func(context.Context) error) {
		if n%every != 0 {
			return
		}
		select {
		case a.queue <- func(ctx context.Context) { a.tally.acted(name, act(ctx)) }:
		default:
			a.tally.left++
		}
	}
	message := fmt.Sprint("/api/messages/", id)
	due(readEvery, "read", func(ctx context.Context) error {
		return to.Do(ctx, http.MethodPost, message+"/read", nil, nil)
	})
	due(lookEvery, "dialogs", func(ctx context.Context) error {
		return to.Do(ctx, http.MethodGet, "/api/messages/dialogs", nil, nil)
	})
	due(editEvery, "edit", func(ctx context.Context) error {
		return from.Do(ctx, http.MethodPut, message, map[string]string{"content": "edited"}, nil)
	})
	due(fileEvery, "file", func(ctx context.Context) error { return sendFile(ctx, from, to) })
	due(callEvery, "call", func(ctx context.Context) error {
		a.calls.Lock()
		defer a.calls.Unlock()
		return callAndHangUp(ctx, from, to)
	})
}

// typing sends a typing event over the WebSocket.
func (a *actions) typing(ctx context.Context, c *client, target string, id int64) error {
	err := c.conn.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"type":"typing","payload":{%q:%d,"is_typing":true}}`, target, id))
	a.tally.acted("typing", err)
	return err
}

// sendFile uploads a file and sends it to a user, who downloads it.
func sendFile(ctx context.Context, from, to imclient.Account) error {
	upload := imclient.File{Name: "imload.bin", Content: bytes.Repeat([]byte("imload\x00\n"), fileSize/8)}
	var file struct{ ID int64 }
	if err := from.Do(ctx, http.MethodPost, "/api/files/upload", upload, &file); err != nil {
		return err
	}
	message := map[string]any{"receiver_id": to.ID, "message_type": "file", "content": "file", "file_id": file.ID}
	if err := from.Do(ctx, http.MethodPost, "/api/messages", message, nil); err != nil {
		return err
	}
	return to.Do(ctx, http.MethodGet, fmt.Sprintf("/api/files/%d/download", file.ID), nil, nil)
}

// callAndHangUp starts a call to a user, and ends it before the user answers.
func callAndHangUp(ctx context.Context, from, to imclient.Account) error {
	var made struct{ ID string }
	if err := from.Do(ctx, http.MethodPost, "/api/calls", map[string]any{"callee_id": to.ID, "type": "audio"}, &made); err != nil {
		return err
	}
	return from.Do(ctx, http.MethodPost, "/api/calls/"+made.ID+"/end", map[string]string{"reason": "user_hangup"}, nil)
}
