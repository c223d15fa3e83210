package deploy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	"github.com/pion/logging"
	"github.com/pion/turn/v4"
)

type object = map[string]any

// A person uses a node as a client does, over the network only.
type person struct {
	t     *testing.T
	node  string
	id    int64
	token string
	phone string
	conn  *websocket.Conn
	calls chan frame // those of calls; all others are read and passed over
}

type frame struct {
	Type    string `json:"type"`
	Payload struct {
		CallID string `json:"call_id"`
	} `json:"payload"`
}

const password = "correct horse"

// newPerson registers somebody and connects.
func newPerson(t *testing.T, node, phone string) *person {
	t.Helper()
	p := &person{t: t, node: node, phone: phone, calls: make(chan frame, 64)}
	var login struct {
		Data struct {
			Token string
			User  struct{ ID int64 }
		}
	}
	p.want(http.StatusCreated, "POST", "/api/auth/register", object{"phone": phone, "password": password}, &login)
	p.id, p.token = login.Data.User.ID, login.Data.Token
	p.conn = p.connect()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			var f frame
			if err := wsjson.Read(context.Background(), p.conn, &f); err != nil {
				return
			}
			if strings.HasPrefix(f.Type, "call.") {
				p.calls <- f
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.conn.CloseNow()
		<-done
	})
	return p
}

func (p *person) connect() *websocket.Conn {
	p.t.Helper()
	conn, _, err := websocket.Dial(p.t.Context(), "ws://"+p.node+"/ws?token="+p.token, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// want makes a request, and wants it to be answered with status.
func (p *person) want(status int, method, path string, body, into any) {
	p.t.Helper()
	var r io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case *bytes.Buffer:
		r, contentType = b, "multipart/form-data; boundary="+boundary
	default:
		text, err := json.Marshal(b)
		if err != nil {
			p.t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.node+path, r)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != status {
		p.t.Fatalf("%s %s: %s, want %d: %v %s", method, path, res.Status, status, err, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			p.t.Fatalf("%v in %s", err, text)
		}
	}
}

const boundary = "a-boundary-of-multipart"

// upload stores a file, and returns its id.
func (p *person) upload(content string) int64 {
	p.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	_ = w.SetBoundary(boundary)
	part, err := w.CreateFormFile("file", "a.txt")
	if err == nil {
		_, err = part.Write([]byte(content))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	var file struct{ Data struct{ ID int64 } }
	p.want(http.StatusCreated, "POST", "/api/files/upload", &body, &file)
	return file.Data.ID
}

// write sends a frame.
func (p *person) write(frameType string, payload any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	if err := wsjson.Write(ctx, p.conn, object{"type": frameType, "payload": payload}); err != nil {
		p.t.Fatal(err)
	}
}

// hears returns the call of the next frame of a type.
func (p *person) hears(frameType string) string {
	p.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case f := <-p.calls:
			if f.Type == frameType {
				return f.Payload.CallID
			}
		case <-timeout:
			p.t.Fatalf("no %s within %s", frameType, patience)
		}
	}
}

// call calls somebody, who answers; then their media is up. It returns the call.
func (p *person) call(other *person) string {
	p.t.Helper()
	p.write("call.offer", object{"to_user": other.id, "call_type": "audio", "sdp": "v=0"})
	id := other.hears("call.offer")
	other.write("call.answer", object{"call_id": id, "sdp": "v=0"})
	p.hears("call.answer")
	for _, side := range []*person{p, other} {
		side.write("call.status", object{"call_id": id, "status": "connected"})
	}
	return id
}

// relay has the TURN server of p's node carry a packet to a peer and back, and
// keeps the allocation until what it returns is called. With a credential that is not
// right it wants to be refused.
func (p *person) relay(peer net.Addr, right bool) func() {
	p.t.Helper()
	var told struct {
		Data struct {
			Servers []struct {
				URLs                 []string
				Username, Credential string
			} `json:"ice_servers"`
		}
	}
	p.want(http.StatusOK, "GET", "/api/calls/ice-servers", nil, &told)
	server := told.Data.Servers[len(told.Data.Servers)-1]
	host, _, _ := strings.Cut(strings.TrimPrefix(server.URLs[0], "turn:"), "?")
	if !right {
		server.Credential = "wrong"
	}
	conn := packets(p.t)
	client, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: host, Conn: conn, Username: server.Username, Password: server.Credential,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err == nil {
		err = client.Listen()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	closeBoth := sync.OnceFunc(func() {
		client.Close()
		_ = conn.Close()
	})
	p.t.Cleanup(closeBoth)
	allocation, err := client.Allocate()
	if right == (err != nil) {
		p.t.Fatalf("the relay, with a credential that is right (%v): %v", right, err)
	}
	if !right {
		return closeBoth
	}
	eventually(p.t, "an answer over the relay", func() bool {
		if _, err := allocation.WriteTo([]byte("hello"), peer); err != nil {
			p.t.Fatal(err)
		}
		_ = allocation.SetReadDeadline(time.Now().Add(time.Second))
		n, _, err := allocation.ReadFrom(make([]byte, 100))
		return err == nil && n == len("hello")
	})
	return func() {
		_ = allocation.Close()
		closeBoth()
	}
}

func packets(t *testing.T) net.PacketConn {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// echo is a peer that sends back what it gets.
func echo(t *testing.T) net.Addr {
	t.Helper()
	conn := packets(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := make([]byte, 2000); ; {
			n, from, err := conn.ReadFrom(p)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(p[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr()
}

// A town is three people on two nodes, two of them friends, all in one group.
type town struct {
	alice, bob, carol *person
	group             int64
	peer              net.Addr
	rounds            int
	hangUp            func() // ends the call of the round before
}

func newTown(t *testing.T, nodes []string) *town {
	t.Helper()
	w := &town{
		alice: newPerson(t, nodes[0], "10001"), bob: newPerson(t, nodes[0], "10002"), carol: newPerson(t, nodes[1], "10003"),
		peer: echo(t), hangUp: func() {},
	}
	var chat struct{ Data struct{ ID int64 } }
	w.alice.want(http.StatusCreated, "POST", "/api/users/friends", object{"user_id": w.carol.id}, nil)
	w.alice.want(http.StatusCreated, "POST", "/api/chats", object{"title": "all", "member_ids": []int64{w.bob.id, w.carol.id}}, &chat)
	w.group = chat.Data.ID
	return w
}

// live has everybody do everything once, mistakes among it. A call goes on
// until the next time, for a scrape to see it.
func (w *town) live() {
	w.hangUp()
	w.rounds++
	file := w.alice.upload(fmt.Sprint("file ", w.rounds))
	var sent struct{ Data struct{ ID int64 } }
	w.alice.want(http.StatusOK, "POST", "/api/messages",
		object{"chat_id": w.group, "content": "a file", "message_type": "file", "file_id": file, "client_msg_id": fmt.Sprint("f", w.rounds)}, &sent)
	w.carol.want(http.StatusOK, "GET", fmt.Sprintf("/api/files/%d/download", file), nil, nil)
	w.bob.want(http.StatusOK, "POST", fmt.Sprintf("/api/messages/%d/read", sent.Data.ID), object{}, nil)
	w.bob.want(http.StatusOK, "GET", "/api/messages/dialogs", nil, nil)
	for i := range 10 {
		w.carol.write("message.send", object{"receiver_id": w.alice.id, "content": "hello", "client_msg_id": fmt.Sprintf("c%d-%d", w.rounds, i)})
		w.bob.write("message.send", object{"chat_id": w.group, "content": "all of you", "client_msg_id": fmt.Sprintf("b%d-%d", w.rounds, i)})
	}

	w.bob.want(http.StatusNotFound, "POST", "/api/messages", object{"chat_id": 4711, "content": "into nowhere"}, nil)
	w.bob.want(http.StatusConflict, "POST", "/api/auth/register", object{"phone": w.bob.phone, "password": password}, nil)
	w.bob.write("dance", nil)
	_ = w.bob.connect().Close(websocket.StatusNormalClosure, "")

	id := w.alice.call(w.carol)
	w.carol.relay(w.peer, false)()
	release := w.carol.relay(w.peer, true)
	w.hangUp = func() {
		w.carol.write("call.end", object{"call_id": id, "reason": "user_hangup"})
		w.alice.hears("call.end")
		release()
	}
}
