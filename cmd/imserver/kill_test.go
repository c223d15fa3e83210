package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const patience = 30 * time.Second

// build compiles the real binary.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "imserver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// A process is a running imserver.
type process struct {
	cmd *exec.Cmd
	url string
	log *bytes.Buffer // complete once done is closed

	done chan struct{}
}

// launch starts the binary in dir and waits until it says where it is.
func launch(t *testing.T, bin, dir string, args ...string) *process {
	t.Helper()
	p := &process{log: new(bytes.Buffer), done: make(chan struct{})}
	p.cmd = exec.Command(bin, append([]string{"--addr=127.0.0.1:0", "--log-format=json", "--message-rate=0"}, args...)...)
	p.cmd.Dir = dir
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	up := make(chan string, 1)
	go func() {
		defer close(p.done)
		defer close(up)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = p.log.Write(append(lines.Bytes(), '\n'))
			var entry struct{ Msg, API string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "imserver is up" {
				up <- strings.TrimSuffix(entry.API, "/api")
			}
		}
	}()
	t.Cleanup(func() { p.kill() })
	select {
	case p.url = <-up:
	case <-time.After(patience):
	}
	if p.url == "" {
		p.kill()
		t.Fatalf("imserver did not come up:\n%s", p.log)
	}
	return p
}

// kill ends the process as a power cut would, as far as it can tell.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	<-p.done
	_ = p.cmd.Wait()
}

func (p *process) post(t *testing.T, path, token string, body any, into any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	p.request(t, "POST", path, token, bytes.NewReader(text), into)
}

func (p *process) request(t *testing.T, method, path, token string, body io.Reader, into any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %v %s", method, path, res.Status, err, text)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

// A sender streams messages into a group over a WebSocket, and remembers what
// was acknowledged.
type sender struct {
	id    int64
	token string

	next    int // number of the next new message
	unacked []int
	acked   map[int]receipt
}

type receipt struct{ id, seq int64 }

func (s *sender) clientMsgID(n int) string { return fmt.Sprintf("%d-%d", s.id, n) }

// stream sends first what was not acknowledged before, in its order, and then
// new messages, until the connection breaks.
func (s *sender) stream(url string, group int64, acks *progress) error {
	ctx := context.Background()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(url, "http")+"/ws?token="+s.token, nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(1 << 20)
	const window = 16 // messages on the way at once
	inFlight := make(chan struct{}, window)
	broken := make(chan struct{})
	go func() {
		defer close(broken)
		s.readAcks(ctx, conn, inFlight, acks)
	}()
	pending := s.unacked
	for i := 0; ; i++ {
		n := s.next
		if i < len(pending) {
			n = pending[i]
		}
		select {
		case inFlight <- struct{}{}:
		case <-broken:
			return nil
		}
		acks.mu.Lock()
		if n == s.next {
			s.next++
			s.unacked = append(s.unacked, n)
		}
		acks.mu.Unlock()
		text := fmt.Sprintf(`{"type":"message.send","payload":{"chat_id":%d,"content":"%d","client_msg_id":"%s"}}`, group, n, s.clientMsgID(n))
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			<-broken
			return nil
		}
	}
}

func (s *sender) readAcks(ctx context.Context, conn *websocket.Conn, inFlight chan struct{}, acks *progress) {
	for {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var f struct {
			Type    string
			Payload struct {
				ClientMsgID string `json:"client_msg_id"`
				ID, Seq     int64
			}
		}
		if json.Unmarshal(text, &f) != nil || f.Type != "message.ack" {
			continue
		}
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(f.Payload.ClientMsgID, fmt.Sprint(s.id, "-")), "%d", &n); err != nil {
			return
		}
		acks.mu.Lock()
		s.acked[n] = receipt{f.Payload.ID, f.Payload.Seq}
		for i, u := range s.unacked {
			if u == n {
				s.unacked = append(s.unacked[:i:i], s.unacked[i+1:]...)
				break
			}
		}
		acks.total++
		acks.cond.Broadcast()
		acks.mu.Unlock()
		<-inFlight
	}
}

// progress counts the acknowledgements of all senders.
type progress struct {
	mu    sync.Mutex
	cond  *sync.Cond
	total int
}

func (p *progress) waitFor(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.total < n {
		p.cond.Wait()
	}
}

// TestKill9 kills the real binary in the middle of a stream, several times:
// nothing that was acknowledged is lost, nothing is stored twice, seq has no
// gap, and each sender's messages are in their order.
func TestKill9(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	p := launch(t, bin, dir)

	const users, kills, acksBetween = 4, 3, 400
	senders := make([]*sender, users)
	var ids []int64
	for i := range senders {
		var l struct {
			Data struct {
				Token string
				User  struct{ ID int64 }
			}
		}
		p.post(t, "/api/auth/register", "", map[string]any{"phone": fmt.Sprint(20000 + i), "password": "secret!"}, &l)
		senders[i] = &sender{id: l.Data.User.ID, token: l.Data.Token, acked: make(map[int]receipt)}
		ids = append(ids, l.Data.User.ID)
	}
	var g struct{ Data struct{ ID int64 } }
	p.post(t, "/api/chats", senders[0].token, map[string]any{"title": "kill", "member_ids": ids}, &g)

	acks := &progress{}
	acks.cond = sync.NewCond(&acks.mu)
	for round := range kills {
		var running sync.WaitGroup
		for _, s := range senders {
			running.Go(func() {
				if err := s.stream(p.url, g.Data.ID, acks); err != nil {
					t.Errorf("sender %d: %v", s.id, err)
				}
			})
		}
		acks.waitFor((round + 1) * acksBetween)
		p.kill()
		running.Wait()
		p = launch(t, bin, dir)
		check(t, p, g.Data.ID, senders)
	}
}

// check reads the whole conversation and compares it with what the senders know.
func check(t *testing.T, p *process, group int64, senders []*sender) {
	t.Helper()
	at := make(map[string]receipt)
	last := make(map[int64]int)
	var seq int64
	for more := true; more; {
		var page struct {
			Data []struct {
				ID, Seq     int64
				SenderID    int64  `json:"sender_id"`
				ClientMsgID string `json:"client_msg_id"`
				Content     string
			}
			HasMore bool `json:"has_more"`
		}
		p.request(t, "GET", fmt.Sprintf("/api/messages?chat_id=%d&after_seq=%d&limit=200", group, seq), senders[0].token, nil, &page)
		for _, m := range page.Data {
			if m.Seq != seq+1 {
				t.Fatalf("after seq %d comes %d", seq, m.Seq)
			}
			seq = m.Seq
			if _, twice := at[m.ClientMsgID]; twice {
				t.Errorf("%s is stored twice", m.ClientMsgID)
			}
			at[m.ClientMsgID] = receipt{m.ID, m.Seq}
			var n int
			if _, err := fmt.Sscan(m.Content, &n); err != nil {
				t.Fatal(err)
			}
			if n != last[m.SenderID] {
				t.Errorf("sender %d: message %d follows %d", m.SenderID, n, last[m.SenderID]-1)
			}
			last[m.SenderID] = n + 1
		}
		more = page.HasMore
	}
	acked := 0
	for _, s := range senders {
		for n, r := range s.acked {
			acked++
			if at[s.clientMsgID(n)] != r {
				t.Errorf("%s was acknowledged as %+v, and is %+v", s.clientMsgID(n), r, at[s.clientMsgID(n)])
			}
		}
	}
	t.Logf("%d messages acknowledged, %d stored, none lost or doubled", acked, seq)
}

// TestSignalStopsCleanly sends SIGTERM while a client is connected.
func TestSignalStopsCleanly(t *testing.T) {
	p := launch(t, build(t), t.TempDir())
	var l struct{ Data struct{ Token string } }
	p.post(t, "/api/auth/register", "", map[string]any{"phone": "30000", "password": "secret!"}, &l)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(p.url, "http")+"/ws?token="+l.Data.Token, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = conn.Read(ctx)
	}
	if code := websocket.CloseStatus(err); code != websocket.StatusGoingAway {
		t.Errorf("the client was told %v, want %v (%v)", code, websocket.StatusGoingAway, err)
	}
	<-p.done
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, p.log)
	}
	for _, secret := range []string{"secret!", l.Data.Token} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
}
