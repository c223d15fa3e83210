package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/internal/imclient"
)

// hears reads frames until one has the type and change.
func hears(t *testing.T, conn *imclient.Conn, frameType, change string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		f, err := conn.ReadFrame(ctx)
		if err != nil {
			t.Fatalf("waiting for %s %s: %v", frameType, change, err)
		}
		var p struct{ Change string }
		if f.Type == frameType && json.Unmarshal(f.Payload, &p) == nil && p.Change == change {
			return
		}
	}
}

// dial opens a WebSocket of an account to the process.
func (p *process) dial(t *testing.T, a imclient.Account) *imclient.Conn {
	t.Helper()
	conn, err := a.At(p.url).Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

// A node is killed in the middle of the deletion of an account. The others finish the deletion: they close the
// account's sockets, take it out of all groups, and let nobody write to it.
func TestAnotherNodeFinishesADeletion(t *testing.T) {
	prog := shared(t)
	all := start(t, 2, prog)
	gone := all.node(0).register(t, "30000")
	const groupsEach = 45 // of 50 that a user may make at once
	var friends []imclient.Account
	for i := range 4 {
		friend := all.node(1).register(t, fmt.Sprint(30001+i))
		friends = append(friends, friend)
		for range groupsEach {
			all.node(i%2).do(t, friend, "POST", "/api/chats", map[string]any{"title": "g", "member_ids": []int64{gone.ID}}, nil)
		}
	}
	all.node(1).do(t, friends[0], "POST", "/api/messages", map[string]any{"receiver_id": gone.ID, "content": "hello"}, nil)
	// with counts the groups that the account is still in, as node 1 lists them.
	with := func() (n int) {
		for _, friend := range friends {
			var groups []struct {
				Members int `json:"member_count"`
			}
			all.node(1).do(t, friend, "GET", "/api/chats?limit=1000", nil, &groups)
			for _, g := range groups {
				n += g.Members - 1
			}
		}
		return n
	}
	if n := with(); n != len(friends)*groupsEach {
		t.Fatalf("the account is in %d groups at first", n)
	}
	theirs, own := all.node(1).dial(t, friends[0]), all.node(1).dial(t, gone)

	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_ = gone.Do(context.Background(), "DELETE", "/api/users/me", map[string]any{"password": "secret!"}, nil) // the node is killed
	}()
	hears(t, theirs, "chat.update", "left")
	all.node(0).kill()
	<-answered
	left := with()
	t.Logf("the node was killed when the account was still in %d groups", left)
	if left == 0 {
		t.Fatal("the deletion was complete before the node was killed: the test needs more groups")
	}

	all.replace(t, 0, prog)
	for deadline := time.Now().Add(2 * time.Minute); with() > 0; {
		if time.Now().After(deadline) {
			t.Fatalf("the account is still in %d groups", with())
		}
		time.Sleep(200 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		if _, err := own.ReadFrame(ctx); err != nil {
			if websocket.CloseStatus(err) != 4401 {
				t.Errorf("the account's socket on the other node ended with %v", err)
			}
			break
		}
	}
	for i := range 2 {
		var refusal *imclient.Error
		err := friends[0].At(all.node(i).url).Do(t.Context(), "POST", "/api/messages", map[string]any{"receiver_id": gone.ID, "content": "hello?"}, nil)
		if !errors.As(err, &refusal) || refusal.Answer.Status != http.StatusForbidden {
			t.Errorf("a message to the deleted account: %v", err)
		}
		err = gone.At(all.node(i).url).Do(t.Context(), "GET", "/api/users/me", nil, nil)
		if !errors.As(err, &refusal) || refusal.Answer.Status != http.StatusUnauthorized {
			t.Errorf("with its token: %v", err)
		}
	}
}
