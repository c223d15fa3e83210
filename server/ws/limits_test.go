package ws

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

func TestGarbageIsAnsweredAndTheConnectionStays(t *testing.T) {
	var refused sync.Map
	w := newWorld(t, Config{MaxFrame: 64 << 10, Hooks: Hooks{
		FrameRefused: func(_ context.Context, d FrameRefused) { refused.Store(d.Code, true) },
	}})
	c := w.dial(w.user("ann"))
	for _, tc := range []struct {
		name, frame string
		code        Code
		id          string // client_msg_id of the answer
	}{
		{"nothing", ``, CodeBadJSON, ""},
		{"no JSON", `{"type":`, CodeBadJSON, ""},
		{"two values", `{"type":"ping"}{"type":"ping"}`, CodeBadJSON, ""},
		{"array", `[1,2]`, CodeBadJSON, ""},
		{"string", `"ping"`, CodeBadJSON, ""},
		{"null", `null`, CodeBadJSON, ""},
		{"byte order mark", "\ufeff" + `{"type":"ping"}`, CodeBadJSON, ""},
		{"no type", `{"payload":{}}`, CodeBadJSON, ""},
		{"type is a number", `{"type":7}`, CodeBadJSON, ""},
		{"deep", strings.Repeat("[", 20000), CodeBadJSON, ""},
		{"invalid UTF-8", "{\"type\":\"ping\xff\"}", CodeBadUTF8, ""},
		{"unknown", `{"type":"call.offer","payload":{}}`, CodeUnknownType, ""},
		{"prototype", `{"type":"__proto__"}`, CodeUnknownType, ""},
		{"payload is a string", `{"type":"message.send","payload":"x"}`, CodeBadJSON, ""},
		{"content is a number", `{"type":"message.send","payload":{"receiver_id":1,"content":5,"client_msg_id":"k"}}`, CodeBadJSON, "k"},
		{"no receiver", `{"type":"message.send","payload":{"content":"x","client_msg_id":"l"}}`, Code(chat.KindInvalid), "l"},
		{"huge id", `{"type":"message.send","payload":{"receiver_id":1e300,"content":"x"}}`, CodeBadJSON, ""},
		{"foreign chat", `{"type":"message.send","payload":{"chat_id":99,"content":"x","client_msg_id":"m"}}`, Code(chat.KindNotFound), "m"},
		{"no message_id", `{"type":"message.edit","payload":{"content":"x"}}`, Code(chat.KindInvalid), ""},
		{"no payload", `{"type":"message.read"}`, Code(chat.KindInvalid), ""},
		{"no such message", `{"type":"message.recall","payload":{"message_id":99}}`, Code(chat.KindNotFound), ""},
		{"typing nowhere", `{"type":"typing","payload":{}}`, Code(chat.KindInvalid), ""},
		{"sync nowhere", `{"type":"sync"}`, Code(chat.KindInvalid), ""},
		{"presence of a string", `{"type":"presence","payload":{"is_online":"yes"}}`, CodeBadJSON, ""},
		{"too large", `{"type":"ping","payload":"` + strings.Repeat("x", 64<<10) + `"}`, Code(chat.KindTooLarge), ""},
	} {
		c.raw(websocket.MessageText, []byte(tc.frame))
		f := c.next()
		var got failure
		if err := json.Unmarshal(f.Payload, &got); err != nil || f.Type != "error" {
			t.Errorf("%s: %s %s", tc.name, f.Type, f.Payload)
			continue
		}
		if got.Code != tc.code || got.Message == "" || got.Details == "" || got.ClientMsgID != tc.id {
			t.Errorf("%s: %+v, want code %s", tc.name, got, tc.code)
		}
		if _, ok := refused.Load(tc.code); !ok {
			t.Errorf("%s: FrameRefused was not called", tc.name)
		}
	}
	c.raw(websocket.MessageBinary, []byte(`{"type":"ping"}`))
	var got failure
	if c.want("error", &got); got.Code != CodeBinary {
		t.Errorf("binary: %+v", got)
	}
	c.send("ping", nil)
	c.want("pong")
}

// TestWrongTypesAreToldInTermsOfJSON, as in package rest, and not of Go.
func TestWrongTypesAreToldInTermsOfJSON(t *testing.T) {
	w := newWorld(t, Config{})
	c := w.dial(w.user("ann"))
	for frame, want := range map[string]string{
		`[1,2]`:                                "the frame must be a JSON object",
		`{"type":7}`:                           "type must be a string",
		`{"type":"message.send","payload":[]}`: "payload must be a JSON object",
		`{"type":"message.send","payload":{"receiver_id":"2","content":"x"}}`: "receiver_id must be a whole number",
		`{"type":"message.send","payload":{"receiver_id":2,"content":5}}`:     "content must be a string",
		`{"type":"message.edit","payload":{"message_id":1.5}}`:                "message_id must be a whole number",
		`{"type":"typing","payload":{"chat_id":true}}`:                        "chat_id must be a whole number",
		`{"type":"typing","payload":{"is_typing":"yes"}}`:                     "is_typing must be true or false",
		`{"type":"sync","payload":{"receiver_id":{}}}`:                        "receiver_id must be a whole number",
	} {
		c.raw(websocket.MessageText, []byte(frame))
		var got failure
		if c.want("error", &got); got.Code != CodeBadJSON || got.Details != want {
			t.Errorf("%s: %+v, want %q", frame, got, want)
		}
	}
}

func TestTenMegabyteFrame(t *testing.T) {
	w := newWorld(t, Config{})
	c := w.dial(w.user("ann"))
	c.send("message.send", map[string]any{"receiver_id": c.who.ID, "content": strings.Repeat("x", 10<<20)})
	var got failure
	if c.want("error", &got); got.Code != Code(chat.KindTooLarge) {
		t.Errorf("%+v", got)
	}
	c.send("ping", nil)
	c.want("pong")
}

func TestEndlessFrameClosesTheConnection(t *testing.T) {
	w := newWorld(t, Config{skip: 4 << 20})
	nc := w.handshake(w.user("ann"))
	go func() {
		head := []byte{opText, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0} // 2^40 bytes, masked by 0
		_, err := nc.Write(head)
		for chunk := make([]byte, 1<<20); err == nil; {
			_, err = nc.Write(chunk)
		}
	}()
	if !bytes.Contains(readUntil(t, nc, []byte{0x03, 0xf1}), []byte{opClose}) { // 1009
		t.Error("no close frame")
	}
}

// readUntil reads until the bytes contain end.
func readUntil(t *testing.T, r io.Reader, end []byte) []byte {
	t.Helper()
	var all []byte
	for chunk := make([]byte, 4096); !bytes.Contains(all, end); {
		n, err := r.Read(chunk)
		all = append(all, chunk[:n]...)
		if err != nil {
			t.Errorf("read %q, then %v", all, err)
			return all
		}
	}
	return all
}

// rawFrame makes a frame that the library would not send.
func rawFrame(first byte, mask bool, payload []byte) []byte {
	b := []byte{first, byte(len(payload))}
	if mask {
		b[1] |= 0x80
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, payload...)
}

// handshake connects without the library.
func (w *world) handshake(tokens chat.Tokens) net.Conn {
	w.t.Helper()
	addr := strings.TrimPrefix(w.srv.URL, "http://")
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = nc.Close() })
	_, err = fmt.Fprintf(nc, "GET /ws HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer %s\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr, tokens.Access)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 0, 512)
	for b := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, b[0]) {
		if _, err := io.ReadFull(nc, b); err != nil {
			w.t.Fatal(err)
		}
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		w.t.Fatalf("%s", head)
	}
	return nc
}

// frame reads a frame from the server and returns its payload.
func (w *world) frame(nc net.Conn) []byte {
	w.t.Helper()
	_ = nc.SetReadDeadline(time.Now().Add(patience))
	head := make([]byte, 2, maxHeader)
	_, err := io.ReadFull(nc, head)
	length := uint64(head[1])
	if more := map[byte]int{126: 2, 127: 8}[head[1]]; more > 0 && err == nil {
		ext := make([]byte, 8)
		_, err = io.ReadFull(nc, ext[8-more:])
		length = binary.BigEndian.Uint64(ext)
	}
	payload := make([]byte, length)
	if err == nil {
		_, err = io.ReadFull(nc, payload)
	}
	if err != nil {
		w.t.Error("read:", err)
	}
	return payload
}

func TestBrokenProtocolClosesTheConnection(t *testing.T) {
	closed := make(chan Reason, 8)
	w := newWorld(t, Config{Hooks: Hooks{Closed: func(_ context.Context, d Closed) { closed <- d.Reason }}})
	ann := w.user("ann")
	for name, bytesSent := range map[string][]byte{
		"unmasked":              rawFrame(0x81, false, []byte(`{}`)),
		"reserved bit":          rawFrame(0xc1, true, []byte(`{}`)),
		"unknown opcode":        rawFrame(0x83, true, nil),
		"stray continuation":    rawFrame(0x80, true, nil),
		"fragmented ping":       rawFrame(0x09, true, nil),
		"one byte close":        rawFrame(0x88, true, []byte{3}),
		"text inside fragments": append(rawFrame(0x01, true, []byte("{")), rawFrame(0x81, true, []byte("}"))...),
	} {
		nc := w.handshake(ann)
		if _, err := nc.Write(bytesSent); err != nil {
			t.Fatal(err)
		}
		all := readUntil(t, nc, []byte{0x03, 0xea}) // 1002
		if !bytes.Contains(all, []byte{opClose}) {
			t.Errorf("%s: no close frame in %q", name, all)
		}
		_ = nc.Close()
		if why := <-closed; why != ReasonProtocol {
			t.Errorf("%s: closed for %s", name, why)
		}
	}
}

func TestFragmentsAndControlFrames(t *testing.T) {
	w := newWorld(t, Config{})
	nc := w.handshake(w.user("ann"))
	ping := bytes.Repeat([]byte("p"), 125)
	var sent []byte
	sent = append(sent, rawFrame(0x01, true, []byte(`{"type":`))...)
	sent = append(sent, rawFrame(0x89, true, ping)...)
	sent = append(sent, rawFrame(0x80, true, []byte(`"ping"}`))...)
	sent = append(sent, rawFrame(0x88, true, []byte{0x03, 0xe8})...)
	if _, err := nc.Write(sent); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(nc) // to the end: the server closes
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(all, []byte(`"connect"`))
	pong := append([]byte{0x8a, 125}, ping...)
	i, j := bytes.Index(rest, pong), bytes.Index(rest, []byte(`{"type":"pong"`))
	if i < 0 || j < i || !bytes.HasSuffix(rest, []byte{opClose, 2, 0x03, 0xe8}) {
		t.Errorf("read %q", all)
	}
}

func TestFloodIsSlowedDownThenClosed(t *testing.T) {
	w := newWorld(t, Config{FrameRate: 1, FrameBurst: 5})
	c := w.dial(w.user("ann"))
	go func() {
		for range 100 {
			if c.Write(context.Background(), websocket.MessageText, []byte(`{"type":"ping"}`)) != nil {
				return
			}
		}
	}()
	for range 5 {
		c.want("pong")
	}
	var got failure
	if c.want("error", &got); got.Code != Code(chat.KindRateLimited) {
		t.Errorf("%+v", got)
	}
	c.wantClosed(websocket.StatusPolicyViolation)
}

func TestWhoMayConnect(t *testing.T) {
	w := newWorld(t, Config{AllowedOrigins: []string{"https://app.example.com", "*.trusted.example"}, MaxConnsPerUser: 2})
	ann := w.user("ann")
	host := strings.TrimPrefix(w.srv.URL, "http://")
	for _, tc := range []struct {
		name, token, origin string
		kind                chat.Kind // "": connected
	}{
		{"no token", "", "", chat.KindUnauthenticated},
		{"forged", "1.forged", "", chat.KindUnauthenticated},
		{"no browser", ann.Access, "", ""},
		{"same host", ann.Access, "http://" + host, ""},
		{"allowed", ann.Access, "https://app.example.com", ""},
		{"allowed host", ann.Access, "http://a.trusted.example", ""},
		{"wrong scheme", ann.Access, "http://app.example.com", chat.KindForbidden},
		{"stranger", ann.Access, "https://evil.example", chat.KindForbidden},
		{"opaque", ann.Access, "null", chat.KindForbidden},
	} {
		header := http.Header{}
		if tc.origin != "" {
			header.Set("Origin", tc.origin)
		}
		conn, _, err := websocket.Dial(t.Context(), w.url(tc.token), &websocket.DialOptions{HTTPHeader: header})
		if tc.kind == "" {
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
				continue
			}
			if _, _, err := conn.Read(t.Context()); err != nil { // connect: the hub counts it now
				t.Errorf("%s: %v", tc.name, err)
			}
			_ = conn.CloseNow()
			w.await("closed", func() bool { return w.hub.Stats().Connections == 0 })
			continue
		}
		if err == nil {
			t.Errorf("%s: connected", tc.name)
			_ = conn.CloseNow()
			continue
		}
		if err := <-w.failed; chat.KindOf(err) != tc.kind {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.kind)
		}
	}
	res, err := http.Get(w.srv.URL + "/ws?token=" + ann.Access)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if err := <-w.failed; chat.KindOf(err) != chat.KindInvalid {
		t.Errorf("no handshake: %v", err)
	}
	w.dial(ann)
	w.dial(ann)
	if conn, _, err := websocket.Dial(t.Context(), w.url(ann.Access), nil); err == nil {
		t.Error("a third connection of one user")
		_ = conn.CloseNow()
	}
	if err := <-w.failed; chat.KindOf(err) != chat.KindRateLimited {
		t.Errorf("third connection: %v", err)
	}
}

func TestLogoutClosesItsConnections(t *testing.T) {
	w := newWorld(t, Config{})
	ann := w.user("ann")
	again, err := w.svc.Login(t.Context(), chat.Credentials{Username: "ann", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	one, two, stays := w.dial(ann), w.dial(ann), w.dial(again)
	caller, err := w.svc.Authenticate(t.Context(), ann.Access)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.svc.Logout(t.Context(), caller); err != nil {
		t.Fatal(err)
	}
	one.wantClosed(StatusSessionEnded)
	two.wantClosed(StatusSessionEnded)
	stays.send("ping", nil)
	stays.want("pong")
}

// If an operator ends all sessions of a user, their connections are closed with the reason.
func TestAnOperatorEndsAllSessions(t *testing.T) {
	w := newWorld(t, Config{})
	ann, bob := w.user("ann"), w.user("bob")
	one, two, stays := w.dial(ann), w.dial(ann), w.dial(bob)
	if n, err := w.svc.LogoutUser(t.Context(), chat.Staff{}, ann.User.ID, "until tomorrow"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	for _, c := range []*client{one, two} {
		_, err := c.read()
		for err == nil {
			_, err = c.read()
		}
		if e, ok := errors.AsType[websocket.CloseError](err); !ok || e.Code != StatusSessionEnded || e.Reason != "logged out: until tomorrow" {
			t.Errorf("closed by %v", err)
		}
	}
	stays.send("ping", nil)
	stays.want("pong")
}

// A session that is not refreshed ends, and so do its connections. A refreshed session goes on, with connections of any
// age.
func TestTheEndOfASessionClosesItsConnections(t *testing.T) {
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	const ttl = 30 * 24 * time.Hour
	w := newWorldAt(t, Config{PingInterval: 80 * time.Millisecond}, now)
	ann, bob := w.user("ann"), w.user("bob")
	anns, bobs := w.dial(ann), w.dial(bob)
	ahead.Store(int64(ttl / 2))
	fresh, err := w.svc.Refresh(t.Context(), bob.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	anns.send("ping", nil)
	anns.want("pong")

	ahead.Store(int64(ttl + time.Minute))
	anns.wantClosed(StatusSessionEnded)
	bobs.send("ping", nil)
	bobs.want("pong")
	again := w.dial(fresh)

	ahead.Store(int64(ttl + ttl/2 + time.Minute))
	bobs.wantClosed(StatusSessionEnded)
	again.wantClosed(StatusSessionEnded)
}

func TestShutdownClosesConnections(t *testing.T) {
	var reasons sync.Map
	w := newWorld(t, Config{Hooks: Hooks{Closed: func(_ context.Context, d Closed) { reasons.Store(d.Reason, true) }}})
	ann := w.user("ann")
	var clients []*client
	for range 20 {
		clients = append(clients, w.dial(ann))
	}
	done := make(chan struct{})
	go func() {
		w.stop()
		close(done)
	}()
	for _, c := range clients {
		c.wantClosed(websocket.StatusGoingAway)
	}
	<-done
	if s := w.hub.Stats(); s.Connections != 0 || s.OnlineUsers != 0 {
		t.Errorf("%+v", s)
	}
	reasons.Range(func(why, _ any) bool {
		if why != ReasonShutdown {
			t.Errorf("closed for %s", why)
		}
		return true
	})
	if _, _, err := websocket.Dial(t.Context(), w.url(ann.Access), nil); err == nil {
		t.Error("connected after shutdown")
	}
	if err := <-w.failed; chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("after shutdown: %v", err)
	}
}

func TestRestartClosesConnections(t *testing.T) {
	closed := make(chan Reason, 2)
	w := newWorld(t, Config{Hooks: Hooks{Closed: func(_ context.Context, d Closed) { closed <- d.Reason }}})
	ann := w.user("ann")
	c := w.dial(ann)
	w.hub.Restart()
	c.wantClosed(websocket.StatusServiceRestart)
	if why := <-closed; why != ReasonRestart {
		t.Errorf("closed for %s", why)
	}
	w.dial(ann)
}

func TestShutdownDoesNotWaitForClientsThatDoNotRead(t *testing.T) {
	w := newWorld(t, Config{CloseTimeout: time.Hour})
	nc := w.handshake(w.user("ann")) // never reads
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	w.stopped.Do(func() {
		if err := w.hub.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("shutdown: %v", err)
		}
	})
	_ = nc.Close()
}

func TestSilentClientsArePingedAndTheDeadAreClosed(t *testing.T) {
	closed := make(chan Reason, 2)
	w := newWorld(t, Config{
		PingInterval: 40 * time.Millisecond, PongTimeout: 200 * time.Millisecond, CloseTimeout: 20 * time.Millisecond,
		Hooks: Hooks{Closed: func(_ context.Context, d Closed) { closed <- d.Reason }},
	})
	var pings atomic.Int32
	alive, _, err := websocket.Dial(t.Context(), w.url(w.user("ann").Access), &websocket.DialOptions{
		OnPingReceived: func(context.Context, []byte) bool { pings.Add(1); return true },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = alive.CloseNow() }()
	read := make(chan error, 1)
	go func() {
		for {
			if _, _, err := alive.Read(context.Background()); err != nil {
				read <- err
				return
			}
		}
	}()
	w.handshake(w.user("bob")) // does not answer pings
	if why := <-closed; why != ReasonTimeout {
		t.Errorf("closed for %s", why)
	}
	w.await("pings", func() bool { return pings.Load() > 10 })
	if s := w.hub.Stats(); s.Connections != 1 {
		t.Errorf("%+v", s)
	}
	w.stop()
	if err := <-read; websocket.CloseStatus(err) != websocket.StatusGoingAway {
		t.Error(err)
	}
}
