package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/logging"
	"github.com/pion/turn/v4"

	"github.com/onemeter/onemeter/internal/imclient"
)

type object = map[string]any

// A person uses a node as a client does, over the network only.
type person struct {
	imclient.Account
	t     *testing.T
	phone string
	conn  *imclient.Conn
	calls chan heard // those of calls; all others are read and passed over
}

// A heard is a frame of a call.
type heard struct{ frameType, call string }

const password = "correct horse"

// newPerson registers somebody and connects.
func newPerson(t *testing.T, node, phone string) *person {
	t.Helper()
	p := &person{t: t, phone: phone, calls: make(chan heard, 64)}
	var err error
	if p.Account, err = imclient.Register(t.Context(), "http://"+node, imclient.Profile{Phone: phone, Password: password}); err != nil {
		t.Fatal(err)
	}
	p.conn = p.connect()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			f, err := p.conn.ReadFrame(context.Background())
			if err != nil {
				return
			}
			var payload struct {
				CallID string `json:"call_id"`
			}
			if strings.HasPrefix(f.Type, "call.") && json.Unmarshal(f.Payload, &payload) == nil {
				p.calls <- heard{f.Type, payload.CallID}
			}
		}
	}()
	t.Cleanup(func() {
		_ = p.conn.CloseNow()
		<-done
	})
	return p
}

func (p *person) connect() *imclient.Conn {
	p.t.Helper()
	conn, err := p.Dial(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// want makes a call, wants it to be answered with status, and reads its data.
func (p *person) want(status int, method, path string, body, data any) {
	p.t.Helper()
	answer, err := p.Ask(p.t.Context(), method, path, body)
	if err == nil && answer.Status == status {
		err = answer.Decode(data)
	}
	if err != nil || answer.Status != status {
		p.t.Fatalf("%s %s: %d, want %d: %v %s", method, path, answer.Status, status, err, answer.Body)
	}
}

// upload stores a file, and returns its id.
func (p *person) upload(content string) int64 {
	p.t.Helper()
	var file struct{ ID int64 }
	p.want(http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte(content)}, &file)
	return file.ID
}

// write sends a frame.
func (p *person) write(frameType string, payload any) {
	p.t.Helper()
	if _, err := p.conn.WriteFrame(p.t.Context(), frameType, payload); err != nil {
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
			if f.frameType == frameType {
				return f.call
			}
		case <-timeout:
			p.t.Fatalf("no %s within %s", frameType, patience)
		}
	}
}

// call calls somebody, who answers; then their media is up. It returns the call.
func (p *person) call(other *person) string {
	p.t.Helper()
	p.write("call.offer", object{"to_user": other.ID, "call_type": "audio", "sdp": "v=0"})
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
		Servers []struct {
			URLs                 []string
			Username, Credential string
		} `json:"ice_servers"`
	}
	p.want(http.StatusOK, "GET", "/api/calls/ice-servers", nil, &told)
	server := told.Servers[len(told.Servers)-1]
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
	alice, bob, carol *person // Alice is of the staff, Bob wants strangers to ask
	banned            *person // and unbanned, again and again
	eve               *person // uses a refresh token twice, again and again
	spent             time.Time
	group             int64
	peer              net.Addr
	rounds            int
	hangUp            func() // ends the call of the round before
}

// newTown makes it. admin runs imserver admin with further arguments.
func newTown(t *testing.T, nodes []string, admin func(args ...string)) *town {
	t.Helper()
	w := &town{
		alice: newPerson(t, nodes[0], "10001"), bob: newPerson(t, nodes[0], "10002"), carol: newPerson(t, nodes[1], "10003"),
		peer: echo(t), hangUp: func() {},
	}
	var chat struct{ ID int64 }
	w.alice.want(http.StatusCreated, "POST", "/api/users/friends", object{"user_id": w.carol.ID}, nil)
	w.alice.want(http.StatusCreated, "POST", "/api/chats", object{"title": "all", "member_ids": []int64{w.bob.ID, w.carol.ID}}, &chat)
	w.group = chat.ID
	w.banned = w.newcomer()
	w.eve = newPerson(t, nodes[1], "10004")
	w.bob.want(http.StatusOK, "PUT", "/api/users/me/privacy", object{"messages": "contacts", "groups": "everybody", "calls": "everybody"}, nil)
	admin("grant", "--phone="+w.alice.phone)
	eventually(t, "the nodes know Alice's role", func() bool {
		answer, err := w.alice.Ask(t.Context(), "GET", "/api/super-admin/stats", nil)
		return err == nil && answer.Status == http.StatusOK
	})
	return w
}

// live has everybody do everything once, mistakes among it. A call goes on
// until the next time, for a scrape to see it.
func (w *town) live() {
	w.hangUp()
	w.rounds++
	file := w.alice.upload(fmt.Sprint("file ", w.rounds))
	var sent struct{ ID int64 }
	w.alice.want(http.StatusOK, "POST", "/api/messages",
		object{"chat_id": w.group, "content": "a file", "message_type": "file", "file_id": file, "client_msg_id": fmt.Sprint("f", w.rounds)}, &sent)
	w.carol.want(http.StatusOK, "GET", fmt.Sprintf("/api/files/%d/download", file), nil, nil)
	w.bob.want(http.StatusOK, "POST", fmt.Sprintf("/api/messages/%d/read", sent.ID), object{}, nil)
	w.bob.want(http.StatusOK, "GET", "/api/messages/dialogs", nil, nil)
	for i := range 10 {
		w.carol.write("message.send", object{"receiver_id": w.alice.ID, "content": "hello", "client_msg_id": fmt.Sprintf("c%d-%d", w.rounds, i)})
		w.bob.write("message.send", object{"chat_id": w.group, "content": "all of you", "client_msg_id": fmt.Sprintf("b%d-%d", w.rounds, i)})
	}

	w.bob.want(http.StatusNotFound, "POST", "/api/messages", object{"chat_id": 4711, "content": "into nowhere"}, nil)
	w.bob.want(http.StatusConflict, "POST", "/api/auth/register", object{"phone": w.bob.phone, "password": password}, nil)
	w.bob.write("dance", nil)
	_ = w.bob.connect().Close(websocket.StatusNormalClosure, "")
	w.welcome()
	w.replay()

	id := w.alice.call(w.carol)
	w.carol.relay(w.peer, false)()
	release := w.carol.relay(w.peer, true)
	w.hangUp = func() {
		w.carol.write("call.end", object{"call_id": id, "reason": "user_hangup"})
		w.alice.hears("call.end")
		release()
	}
}
