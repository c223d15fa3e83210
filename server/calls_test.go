package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"
)

// shortCalls has calls end soon that nobody looks after; not so soon that a node
// which has much to do is taken for one that is gone.
func shortCalls(c *server.Config) {
	c.CallRing, c.CallGone = 6*time.Second, 2*time.Second
}

// A callFrame is what frames of calls hold.
type callFrame struct {
	CallID     string `json:"call_id"`
	From       int64  `json:"from_user"`
	To         int64  `json:"to_user"`
	Type       string `json:"call_type"`
	SDP        any    `json:"sdp"`
	Candidates any    `json:"ice_candidates"`
	Candidate  any    `json:"ice_candidate"`
	Status     string `json:"status"`
	Reason     string `json:"reason"`
}

// A callSummary is what REST tells of a call.
type callSummary struct {
	ID       string  `json:"id"`
	CallerID int64   `json:"caller_id"`
	CalleeID int64   `json:"callee_id"`
	Status   string  `json:"status"`
	Reason   string  `json:"end_reason"`
	Duration float64 `json:"duration"`
}

// hears returns the next frame of calls, which must be of a type, and have the
// status or reason that is given.
func (s *socket) hears(t *testing.T, frameType, word string) callFrame {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case f, ok := <-s.frames:
			if !ok {
				t.Fatalf("waiting for %s: %v", frameType, s.err)
			}
			if !strings.HasPrefix(f.Type, "call.") && f.Type != "error" {
				continue
			}
			c := decode[callFrame](t, f.Payload)
			if f.Type != frameType || word != "" && c.Status != word && c.Reason != word {
				t.Fatalf("%s %s, want %s %s", f.Type, f.Payload, frameType, word)
			}
			return c
		case <-timeout:
			t.Fatalf("no %s %s within %s", frameType, word, patience)
		}
	}
}

// dialIn is dial, and back when the connection has been told of the calls that
// ring by then: one that begins later rings once.
func (u *user) dialIn(t *testing.T) *socket {
	t.Helper()
	s := u.dial(t)
	s.write(t, "ping", nil)
	s.expect(t, "pong")
	return s
}

// fails wants an error frame for what was written last.
func (s *socket) fails(t *testing.T, code, part string) {
	t.Helper()
	f := s.expect(t, "error")
	e := decode[struct {
		Code    string `json:"error_code"`
		Details string `json:"details"`
	}](t, f.Payload)
	if e.Code != code || !strings.Contains(e.Details, part) {
		t.Errorf("error %s, want %s …%s…", f.Payload, code, part)
	}
}

// silent wants no frame of a call to be on its way to a client.
func (s *socket) silent(t *testing.T) {
	t.Helper()
	s.write(t, "ping", nil)
	for {
		switch f := s.expectAny(t); {
		case f.Type == "pong":
			return
		case strings.HasPrefix(f.Type, "call."):
			t.Errorf("a stranger was told %s %s", f.Type, f.Payload)
		}
	}
}

func (s *socket) expectAny(t *testing.T) frame {
	t.Helper()
	select {
	case f, ok := <-s.frames:
		if !ok {
			t.Fatal(s.err)
		}
		return f
	case <-time.After(patience):
		t.Fatal("nothing comes")
	}
	return frame{}
}

// login is another login of the same user, as another device has it.
func (u *user) login(t *testing.T) *user {
	t.Helper()
	status, body := u.app.call(t, "", "POST", "/api/auth/login", map[string]any{"phone": u.phone, "password": password})
	if status != http.StatusOK {
		t.Fatalf("login: %d %s", status, body)
	}
	other := *u
	other.token = decode[struct{ Data struct{ Token string } }](t, body).Data.Token
	return &other
}

// pair registers two friends on the nodes that they use.
func pair(t *testing.T, a, b *app) (alice, bob *user) {
	t.Helper()
	alice, bob = a.register(t, "10001", "alice"), b.register(t, "10002", "bob")
	alice.do(t, http.StatusCreated, "POST", "/api/users/friends", map[string]any{"user_id": bob.id})
	return alice, bob
}

// offer calls a user, and returns the call's id.
func (s *socket) offer(t *testing.T, to int64) string {
	t.Helper()
	s.write(t, "call.offer", map[string]any{"to_user": to, "call_type": "video", "sdp": sdp("offer")})
	return s.hears(t, "call.status", "ringing").CallID
}

func sdp(kind string) map[string]any { return map[string]any{"type": kind, "sdp": "v=0 <&> 𠮷"} }

// gauge waits until the nodes say together that so many peers are up.
func gauge(t *testing.T, want float64, nodes ...*app) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var up float64
		for _, a := range nodes {
			up += a.scrape(t).samples["webrtc_connections_active"]
		}
		if up == want {
			t.Logf("webrtc_connections_active is %v", up)
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("webrtc_connections_active is %v, want %v", up, want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// connectedCall is one whose media both sides say is up.
func connectedCall(t *testing.T, hers, his *socket, bob int64) string {
	t.Helper()
	id := hers.offer(t, bob)
	if f := his.hears(t, "call.offer", ""); f.CallID != id || f.To != bob || f.Type != "video" || fmt.Sprint(f.SDP) != fmt.Sprint(sdp("offer")) {
		t.Errorf("call.offer %+v", f)
	}
	his.write(t, "call.answer", map[string]any{"call_id": id, "sdp": "a string", "ice_candidates": []int{1}})
	his.hears(t, "call.status", "answered")
	if f := hers.hears(t, "call.answer", ""); f.CallID != id || f.From != bob || f.SDP != "a string" || fmt.Sprint(f.Candidates) != "[1]" {
		t.Errorf("call.answer %+v", f)
	}
	hers.write(t, "call.ice", map[string]any{"call_id": id, "ice_candidate": map[string]any{"candidate": "c", "sdpMid": "0"}})
	if f := his.hears(t, "call.ice", ""); fmt.Sprint(f.Candidate) != "map[candidate:c sdpMid:0]" {
		t.Errorf("call.ice %+v", f)
	}
	for _, s := range []*socket{hers, his} {
		s.write(t, "call.status", map[string]any{"call_id": id, "status": "connected"})
	}
	hers.hears(t, "call.status", "connected")
	his.hears(t, "call.status", "connected")
	return id
}

// ways of ending a call that is connected; what the other side is told of it,
// and the reason that is kept. A dead client is told nothing.
var ways = []struct {
	name   string
	end    func(t *testing.T, alice *user, hers *socket, id string)
	reason string
}{
	{"call.end", func(t *testing.T, _ *user, hers *socket, id string) {
		hers.write(t, "call.end", map[string]any{"call_id": id})
		hers.hears(t, "call.status", "ended")
		hers.write(t, "call.ice", map[string]any{"call_id": id, "ice_candidate": nil})
		hers.fails(t, "conflict", "the call has ended: user_hangup")
	}, "user_hangup"},
	{"call.end with a reason", func(t *testing.T, _ *user, hers *socket, id string) {
		hers.write(t, "call.end", map[string]any{"call_id": id, "reason": "server_error"})
	}, "server_error"},
	{"call.status ended", func(t *testing.T, _ *user, hers *socket, id string) {
		hers.write(t, "call.status", map[string]any{"call_id": id, "status": "ended"})
	}, "user_hangup"},
	{"REST", func(t *testing.T, alice *user, hers *socket, id string) {
		alice.do(t, http.StatusOK, "POST", "/api/calls/:id/end", nil, id)
		hers.hears(t, "call.end", "user_hangup")
		alice.do(t, http.StatusConflict, "POST", "/api/calls/:id/end", nil, id)
	}, "user_hangup"},
	{"a killed client", func(_ *testing.T, _ *user, hers *socket, _ string) {
		_ = hers.conn.CloseNow()
	}, "network_error"},
	{"a logout", func(t *testing.T, alice *user, _ *socket, _ string) {
		alice.do(t, http.StatusOK, "POST", "/api/auth/logout", nil)
	}, "network_error"},
}

// TestEveryEndOfACall wants the gauge at 0, 2 and 0, whatever ends a call.
func TestEveryEndOfACall(t *testing.T) {
	t.Parallel()
	everyEnd(t, start(t, shortCalls))
}

func everyEnd(t *testing.T, nodes ...*app) {
	a, b := nodes[0], nodes[len(nodes)-1]
	alice, bob := pair(t, a, b)
	ended := make(map[string]float64)
	for _, way := range ways {
		device := alice.login(t)
		hers, his := device.dialIn(t), bob.dialIn(t)
		gauge(t, 0, nodes...)
		id := connectedCall(t, hers, his, bob.id)
		gauge(t, 2, nodes...)
		way.end(t, device, hers, id)
		his.hears(t, "call.end", way.reason)
		gauge(t, 0, nodes...)
		s := decode[struct{ Data callSummary }](t, bob.do(t, http.StatusOK, "GET", "/api/calls/:id/stats", nil, id)).Data
		if s.ID != id || s.CallerID != alice.id || s.CalleeID != bob.id || s.Status != "ended" || s.Reason != way.reason || s.Duration <= 0 {
			t.Errorf("%s: %+v", way.name, s)
		}
		ended[way.reason]++
		_ = his.conn.CloseNow()
	}
	var p [2]page
	for i, n := range nodes {
		p[i] = n.scrape(t)
	}
	sum := func(series string) float64 { return p[0].samples[series] + p[1].samples[series] }
	for reason, n := range ended {
		for _, name := range []string{"im_call_ended_total", "im_call_duration_seconds"} {
			if got := sum(fmt.Sprintf("%s{reason=%q}", name, reason)); got != n {
				t.Errorf("%s of %s is %v, want %v", name, reason, got, n)
			}
		}
	}
	for series, want := range map[string]float64{
		`im_call_started_total{type="video"}`:            float64(len(ways)),
		`im_call_setup_duration_seconds{phase="answer"}`: float64(len(ways)),
		`im_call_setup_duration_seconds{phase="media"}`:  float64(len(ways)),
		`im_call_devices`: 0,
		`im_frames_received_total{type="call.answer"}`:       float64(len(ways)),
		`telemetry_conflicts_total{reason="duplicate_name"}`: 0,
	} {
		if got := sum(series); got != want {
			t.Errorf("%s is %v, want %v", series, got, want)
		}
	}
}

// TestDevicesRing has every device of the callee ring, one that comes later too,
// and all but the first that answers stop.
func TestDevicesRing(t *testing.T) {
	t.Parallel()
	devicesRing(t, start(t, shortCalls))
}

func devicesRing(t *testing.T, nodes ...*app) {
	a, b := nodes[0], nodes[len(nodes)-1]
	alice, bob := pair(t, a, b)
	hers := alice.dialIn(t)
	phone, tablet, late := bob.dialIn(t), bob.login(t).on(a).dialIn(t), bob.login(t)
	id := hers.offer(t, bob.id)
	hers.write(t, "call.ice", map[string]any{"call_id": id, "ice_candidate": "early"})
	phone.hears(t, "call.offer", "")
	tablet.hears(t, "call.offer", "")
	laptop := late.dial(t)
	laptop.hears(t, "call.offer", "")
	phone.write(t, "call.status", map[string]any{"call_id": id, "status": "ringing"})
	hers.hears(t, "call.status", "ringing")

	laptop.write(t, "call.answer", map[string]any{"call_id": id, "sdp": "from the laptop"})
	laptop.hears(t, "call.status", "answered")
	if f := laptop.hears(t, "call.ice", ""); f.Candidate != "early" {
		t.Errorf("what came early is %v", f.Candidate)
	}
	phone.hears(t, "call.status", "answered")
	tablet.hears(t, "call.status", "answered")
	for _, s := range []*socket{phone, tablet} {
		s.write(t, "call.answer", map[string]any{"call_id": id, "sdp": "too late"})
		s.fails(t, "conflict", "another device")
	}
	if f := hers.hears(t, "call.answer", ""); f.SDP != "from the laptop" {
		t.Errorf("answered by %v", f.SDP)
	}
	tablet.write(t, "call.end", map[string]any{"call_id": id})
	tablet.fails(t, "conflict", "another device")
	hers.write(t, "call.end", map[string]any{"call_id": id})
	laptop.hears(t, "call.end", "user_hangup")
	hers.hears(t, "call.status", "ended")

	for _, rejects := range []bool{true, false} {
		id = hers.offer(t, bob.id)
		for _, s := range []*socket{phone, tablet, laptop} {
			s.hears(t, "call.offer", "")
		}
		if rejects {
			tablet.write(t, "call.end", map[string]any{"call_id": id})
			tablet.hears(t, "call.status", "user_rejected")
			for _, s := range []*socket{hers, phone, laptop} {
				s.hears(t, "call.end", "user_rejected")
			}
			continue
		}
		for _, s := range []*socket{hers, phone, tablet, laptop} {
			s.hears(t, "call.end", "timeout")
		}
	}
}

// TestBothCall has two users call each other at once.
func TestBothCall(t *testing.T) { bothCall(t, start(t, nil)) }

func bothCall(t *testing.T, nodes ...*app) {
	a, b := nodes[0], nodes[len(nodes)-1]
	alice, bob := pair(t, a, b)
	hers, his := alice.dialIn(t), bob.dialIn(t)
	for range 10 {
		var calling sync.WaitGroup
		for s, to := range map[*socket]int64{hers: bob.id, his: alice.id} {
			calling.Go(func() {
				s.write(t, "call.offer", map[string]any{"to_user": to, "call_type": "audio", "sdp": "mine"})
			})
		}
		calling.Wait()
		first, second := nextCall(t, hers, "status"), nextCall(t, his, "status")
		if first.CallID != second.CallID || first.From != second.From {
			t.Fatalf("two calls: %+v and %+v", first, second)
		}
		caller, callee := hers, his
		if first.From == bob.id {
			caller, callee = his, hers
		}
		callee.expect(t, "call.offer")
		callee.write(t, "call.answer", map[string]any{"call_id": first.CallID, "sdp": "yes"})
		if f := nextCall(t, caller, "answer"); f.SDP != "yes" {
			t.Errorf("call.answer %+v", f)
		}
		caller.write(t, "call.end", map[string]any{"call_id": first.CallID})
		callee.expect(t, "call.end")
		caller.expect(t, "call.status")
	}
}

func nextCall(t *testing.T, s *socket, what string) callFrame {
	t.Helper()
	return decode[callFrame](t, s.expect(t, "call."+what).Payload)
}

// TestStrangersAndCalls wants nobody called by, or told to, who has nothing to do
// with it.
func TestStrangersAndCalls(t *testing.T) {
	a := start(t, nil)
	alice, bob := pair(t, a, a)
	eve := a.register(t, "10003", "eve")
	hers, his, eves := alice.dialIn(t), bob.dialIn(t), eve.dialIn(t)
	eves.write(t, "call.offer", map[string]any{"to_user": bob.id, "call_type": "audio", "sdp": "v=0"})
	eves.fails(t, "forbidden", "you can only call friends")
	eve.do(t, http.StatusForbidden, "POST", "/api/calls", map[string]any{"callee_id": bob.id, "type": "audio"})
	eves.write(t, "call.offer", map[string]any{"to_user": 4711, "call_type": "audio", "sdp": "v=0"})
	eves.fails(t, "not_found", "no such user")
	his.silent(t)

	id := hers.offer(t, bob.id)
	his.hears(t, "call.offer", "")
	for frameType, payload := range map[string]map[string]any{
		"call.answer": {"sdp": "mine"}, "call.ice": {"ice_candidate": "x"}, "call.offer": {"sdp": "x"},
		"call.end": {}, "call.status": {"status": "connected"},
	} {
		payload["call_id"] = id
		eves.write(t, frameType, payload)
		eves.fails(t, "not_found", "no such call")
	}
	eve.do(t, http.StatusNotFound, "GET", "/api/calls/:id/stats", nil, id)
	eve.do(t, http.StatusNotFound, "POST", "/api/calls/:id/end", nil, id)
	his.silent(t)
	hers.silent(t)
	eves.silent(t)

	deep := json.RawMessage(strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000))
	for _, c := range []struct {
		frameType string
		payload   any
		code      string
		part      string
	}{
		{"call.offer", map[string]any{"to_user": alice.id, "call_type": "audio", "sdp": "x"}, "invalid", "you cannot call yourself"},
		{"call.offer", map[string]any{"to_user": bob.id, "call_type": "smell", "sdp": "x"}, "invalid", "audio or video"},
		{"call.offer", map[string]any{"to_user": bob.id, "call_type": "audio"}, "invalid", "sdp is required"},
		{"call.offer", map[string]any{"to_user": bob.id, "call_type": "audio", "sdp": 7}, "invalid", "sdp is required"},
		{"call.offer", map[string]any{"to_user": "bob"}, "bad_json", "to_user"},
		{"call.offer", 7, "bad_json", "object"},
		{"call.answer", map[string]any{"sdp": "x"}, "invalid", "call_id is required"},
		{"call.answer", map[string]any{"call_id": id, "sdp": strings.Repeat("x", 100_000)}, "too_large", "sdp has at most"},
		{"call.ice", map[string]any{"call_id": id, "ice_candidate": strings.Repeat("x", 10_000)}, "too_large", "at most"},
		{"call.answer", map[string]any{"call_id": id, "sdp": map[string]any{"sdp": deep}}, "invalid", "at most 32 deep"},
		{"call.ice", map[string]any{"call_id": id, "ice_candidate": true}, "invalid", "ice_candidate"},
		{"call.status", map[string]any{"call_id": id, "status": "bored"}, "invalid", "status is"},
		{"call.status", map[string]any{"call_id": id, "status": "connected"}, "conflict", "ringing"},
		{"call.end", map[string]any{"call_id": strings.Repeat("\x00", 10_000)}, "not_found", "no such call"},
	} {
		hers.write(t, c.frameType, c.payload)
		hers.fails(t, c.code, c.part)
	}
	his.silent(t)
	hers.write(t, "call.end", map[string]any{"call_id": id})
	his.hears(t, "call.end", "user_hangup")
}

// TestCallsOverREST is the caller's side without a WebSocket, as scripts are.
func TestCallsOverREST(t *testing.T) {
	a := start(t, nil)
	alice, bob := pair(t, a, a)
	carol := a.register(t, "10003", "carol")
	carol.do(t, http.StatusCreated, "POST", "/api/users/friends", map[string]any{"user_id": bob.id})
	for _, body := range []map[string]any{
		{}, {"callee_id": bob.id}, {"callee_id": bob.id, "type": "smell"}, {"callee_id": "bob"}, {"callee_id": alice.id, "type": "audio"},
	} {
		alice.do(t, http.StatusBadRequest, "POST", "/api/calls", body)
	}
	his := bob.dialIn(t)
	made := decode[struct{ Data callSummary }](t, alice.do(t, http.StatusCreated, "POST", "/api/calls",
		map[string]any{"callee_id": bob.id, "type": "audio"})).Data
	if made.ID == "" || made.Status != "ringing" || made.CallerID != alice.id || made.CalleeID != bob.id {
		t.Errorf("%+v", made)
	}
	his.hears(t, "call.status", "ringing")
	alice.do(t, http.StatusOK, "POST", "/api/calls", map[string]any{"callee_id": bob.id, "type": "audio"}) // the same call
	bob.do(t, http.StatusOK, "POST", "/api/calls", map[string]any{"callee_id": alice.id, "type": "audio"})
	carol.do(t, http.StatusConflict, "POST", "/api/calls", map[string]any{"callee_id": bob.id, "type": "audio"})
	alice.do(t, http.StatusOK, "GET", "/api/calls/:id/stats", nil, made.ID)
	ended := decode[struct{ Data callSummary }](t, alice.do(t, http.StatusOK, "POST", "/api/calls/:id/end",
		map[string]any{"reason": "user_hangup"}, made.ID)).Data
	if ended.Status != "ended" || ended.Reason != "user_hangup" {
		t.Errorf("%+v", ended)
	}
	his.hears(t, "call.end", "user_hangup")
	alice.do(t, http.StatusNotFound, "GET", "/api/calls/:id/stats", nil, "made-up")
	alice.do(t, http.StatusConflict, "POST", "/api/calls/:id/end", nil, made.ID)

	// If the callee is busy, the caller gets call.end on the WebSocket.
	id := his.offer(t, alice.id)
	carols := carol.dialIn(t)
	carols.write(t, "call.offer", map[string]any{"to_user": bob.id, "call_type": "audio", "sdp": "x"})
	carols.hears(t, "call.end", "user_busy")
	// An unknown reason does not end a call, by HTTP or WebSocket. A known reason is accepted from either side.
	his.write(t, "call.end", map[string]any{"call_id": id, "reason": "because"})
	his.hears(t, "error", "")
	alice.do(t, http.StatusBadRequest, "POST", "/api/calls/:id/end", map[string]any{"reason": "because"}, id)
	alice.do(t, http.StatusOK, "POST", "/api/calls/:id/end", map[string]any{"reason": "user_hangup"}, id)
	his.hears(t, "call.end", "user_hangup")
}

// TestCallsAreSlowedDown has a user do more in calls than he may.
func TestCallsAreSlowedDown(t *testing.T) {
	a := start(t, func(c *server.Config) { c.MessageRate, c.MessageBurst = 1, 10 })
	alice, bob := pair(t, a, a)
	for _, c := range []struct {
		caller, callee *user
		end            string
	}{{alice, bob, "call.end"}, {bob, alice, "call.status"}} {
		s := c.caller.dialIn(t)
		id := s.offer(t, c.callee.id)
		for range 30 {
			s.write(t, "call.ice", map[string]any{"call_id": id, "ice_candidate": "x"})
		}
		s.fails(t, "rate_limited", "")
		s.write(t, c.end, map[string]any{"call_id": id, "status": "ended"}) // always
		for nextCall(t, s, "status").Status != "ended" {
		}
	}
}

// TestCallsOnTwoNodes is all of it with the users on different nodes.
func TestCallsOnTwoNodes(t *testing.T) {
	t.Parallel()
	t.Run("every end", func(t *testing.T) { everyEnd(t, two(t)...) })
	t.Run("devices", func(t *testing.T) { devicesRing(t, two(t)...) })
	t.Run("both call", func(t *testing.T) { bothCall(t, two(t)...) })
}

func two(t *testing.T) []*app {
	a, b := twoNodes(t, shortCalls)
	return []*app{a, b}
}

// TestCallsWhilePartsAreAway: without Redis a call ends all the same on the other
// node, and calls within a node go on; without the database the client is told,
// and the call is there when it is back.
func TestCallsWhilePartsAreAway(t *testing.T) {
	t.Parallel()
	c := newCluster(t) // its members may call each other
	id := connectedCall(t, c.hers, c.his, c.bob.id)
	gauge(t, 2, c.a, c.b)
	c.redis.Cut()
	c.hers.write(t, "call.end", map[string]any{"call_id": id})
	c.hers.hears(t, "call.status", "ended")
	c.his.hears(t, "call.end", "user_hangup")
	gauge(t, 0, c.a, c.b)

	id = connectedCall(t, c.hers, c.cas, c.carol.id)
	gauge(t, 2, c.a, c.b)
	c.redis.Heal()
	c.a.isReady(t, http.StatusOK, "ok")
	c.b.isReady(t, http.StatusOK, "ok")

	c.db.Cut()
	c.hers.write(t, "call.ice", map[string]any{"call_id": id, "ice_candidate": "x"})
	c.hers.fails(t, "unavailable", "")
	c.db.Heal()
	for deadline := time.Now().Add(patience); ; { // it ends a moment later
		c.hers.write(t, "call.end", map[string]any{"call_id": id})
		if f := c.hers.expectAny(t); f.Type == "call.status" {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the call cannot be ended: %s %s", f.Type, f.Payload)
		}
	}
	c.cas.hears(t, "call.end", "user_hangup")
	gauge(t, 0, c.a, c.b)

	// The callee rings again after the node has reconnected to Redis.
	c.hers.write(t, "ping", nil)
	c.hers.expect(t, "pong") // after the errors for the calls over the limit
	id = c.hers.offer(t, c.bob.id)
	again := func() {
		t.Helper()
		for f := c.his.expect(t, "call.offer"); decode[callFrame](t, f.Payload).CallID != id; {
			f = c.his.expect(t, "call.offer")
		}
	}
	again()
	c.redis.Cut()
	c.a.isReady(t, http.StatusOK, "degraded")
	c.redis.Heal()
	again()
}
