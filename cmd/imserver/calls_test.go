package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
)

// A line is one WebSocket of a user who calls, or is called.
type line struct {
	t    *testing.T
	conn *imclient.Conn
}

func dialLine(t *testing.T, p *process, a imclient.Account) *line {
	t.Helper()
	conn, err := a.At(p.url).Dial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	return &line{t, conn}
}

func (l *line) write(frameType string, payload map[string]any) {
	l.t.Helper()
	if _, err := l.conn.WriteFrame(context.Background(), frameType, payload); err != nil {
		l.t.Fatal(err)
	}
}

// hears returns call_id and reason of the next frame of a type.
func (l *line) hears(frameType string) (id, reason string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		f, err := l.conn.ReadFrame(ctx)
		if err != nil {
			l.t.Fatalf("waiting for %s: %v", frameType, err)
		}
		if f.Type == frameType {
			var call struct {
				CallID string `json:"call_id"`
				Reason string
			}
			if err := json.Unmarshal(f.Payload, &call); err != nil {
				l.t.Fatal(err)
			}
			return call.CallID, call.Reason
		}
	}
}

// up waits until so many peers on a node have their media up.
func (p *process) up(t *testing.T, want int) {
	t.Helper()
	sample := fmt.Sprintf("\nwebrtc_connections_active %d\n", want)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(p.url + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(page), sample) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s:%s", patience, sample)
		}
	}
}

// calling are two users of two nodes in a call whose media is up.
func calling(t *testing.T, all *nodes) (id string, alice imclient.Account, hers, his *line) {
	t.Helper()
	alice = all.node(0).register(t, "10001")
	bob := all.node(1).register(t, "10002")
	all.node(0).do(t, alice, "POST", "/api/users/friends", map[string]any{"user_id": bob.ID}, nil)
	hers, his = dialLine(t, all.node(0), alice), dialLine(t, all.node(1), bob)
	his.hears("connect")
	hers.write("call.offer", map[string]any{"to_user": bob.ID, "call_type": "audio", "sdp": "v=0"})
	id, _ = his.hears("call.offer")
	his.write("call.answer", map[string]any{"call_id": id, "sdp": "v=0"})
	hers.hears("call.answer")
	for _, l := range []*line{hers, his} {
		l.write("call.status", map[string]any{"call_id": id, "status": "connected"})
	}
	all.node(0).up(t, 1)
	all.node(1).up(t, 1)
	return id, alice, hers, his
}

// TestCallOfAKilledNode kills the node of one peer: nobody tells the other node,
// which ends the call.
func TestCallOfAKilledNode(t *testing.T) {
	prog := shared(t)
	prog.args = append(prog.args, "--call-gone=3s")
	all := start(t, 2, prog)
	id, alice, _, his := calling(t, all)
	all.node(0).kill()
	killed := time.Now()
	if _, reason := his.hears("call.end"); reason != "network_error" {
		t.Errorf("the call ended by %s", reason)
	}
	t.Logf("the call ended %s after the node", time.Since(killed).Round(time.Millisecond))
	all.node(1).up(t, 0)
	var s struct {
		Status string
		Reason string `json:"end_reason"`
	}
	all.node(1).do(t, alice, "GET", "/api/calls/"+id+"/stats", nil, &s)
	if s.Status != "ended" || s.Reason != "network_error" {
		t.Errorf("%+v", s)
	}
}

// TestCallOutlivesItsNode stops the node of one peer, who goes over to the other
// node: the call goes on.
func TestCallOutlivesItsNode(t *testing.T) {
	prog := shared(t)
	prog.args = append(prog.args, "--call-gone=30s")
	all := start(t, 2, prog)
	id, alice, hers, his := calling(t, all)
	_ = hers.conn.CloseNow()
	all.node(0).stop(t, shutdownTimeout)
	hers = dialLine(t, all.node(1), alice)
	all.node(1).up(t, 2)
	his.write("call.ice", map[string]any{"call_id": id, "ice_candidate": "new"})
	hers.hears("call.ice")
	hers.write("call.end", map[string]any{"call_id": id})
	if _, reason := his.hears("call.end"); reason != "user_hangup" {
		t.Errorf("the call ended by %s", reason)
	}
	all.node(1).up(t, 0)
}
