package ws

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// group makes a chat of users and returns its id.
func (w *world) group(owner chat.Tokens, members ...chat.Tokens) int64 {
	w.t.Helper()
	ids := make([]int64, len(members))
	for i, m := range members {
		ids[i] = m.User.ID
	}
	caller := chat.Caller{UserID: owner.User.ID}
	g, err := w.svc.CreateGroup(context.Background(), caller, "all", ids)
	if err != nil {
		w.t.Fatal(err)
	}
	return g.ID
}

// deliveries collects the calls of Hooks.Delivered for messages.
type deliveries struct {
	mu  sync.Mutex
	all []Delivered
}

func (d *deliveries) hook(_ context.Context, one Delivered) {
	if one.Type == chat.EventMessageNew {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.all = append(d.all, one)
	}
}

func (d *deliveries) total() (events, written, dropped int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		written += one.Receivers
		dropped += one.Dropped
	}
	return len(d.all), written, dropped
}

func TestOrderUnderLoad(t *testing.T) {
	t.Run("tcp", func(t *testing.T) { testOrder(t, false) })
	t.Run("opaque", func(t *testing.T) { testOrder(t, true) })
}

func testOrder(t *testing.T, opaque bool) {
	const users, each = 4, 80
	var delivered deliveries
	w := newWorld(t, Config{Hooks: Hooks{Delivered: delivered.hook}})
	if opaque {
		w.hideTCP()
	}
	var tokens []chat.Tokens
	for i := range users {
		tokens = append(tokens, w.user(fmt.Sprintf("u%d", i)))
	}
	id := w.group(tokens[0], tokens[1:]...)
	var clients []*client
	for _, u := range tokens {
		clients = append(clients, w.dial(u), w.dial(u)) // two devices each
	}
	var all sync.WaitGroup
	for i, c := range clients {
		sends := i%2 == 0
		all.Go(func() { c.readInOrder(t, users*each, sends, each) })
		if sends {
			all.Go(func() {
				for n := range each {
					c.send("message.send", map[string]any{"chat_id": id, "content": fmt.Sprint(n), "client_msg_id": fmt.Sprint(n)})
				}
			})
		}
	}
	all.Wait()
	w.await("hooks", func() bool {
		events, written, _ := delivered.total()
		return events == users*each && written == users*each*(2*users-1)
	})
}

// readInOrder reads until it has total messages, its own as acks. It checks that the others come once, in the order of
// seq.
func (c *client) readInOrder(t *testing.T, total int, sends bool, acks int) {
	seen := make(map[int64]bool, total)
	var last, lastAck int64
	news := total
	if sends {
		news -= acks
	} else {
		acks = 0
	}
	for news > 0 || acks > 0 {
		f, err := c.read()
		if err != nil {
			t.Error(err)
			return
		}
		switch f.Type {
		case "message.new":
			var m chat.MessageNew
			mustUnmarshal(t, f.Payload, &m)
			if m.Message.Seq <= last || seen[m.Message.Seq] {
				t.Errorf("seq %d after %d", m.Message.Seq, last)
				return
			}
			last = m.Message.Seq
			seen[last] = true
			news--
		case "message.ack":
			var a ack
			mustUnmarshal(t, f.Payload, &a)
			if a.Seq <= lastAck || seen[a.Seq] {
				t.Errorf("ack of %d after %d", a.Seq, lastAck)
				return
			}
			lastAck = a.Seq
			seen[a.Seq] = true
			acks--
		case "error":
			t.Errorf("%s", f.Payload)
			return
		}
	}
	if len(seen) != total {
		t.Errorf("saw %d messages of %d", len(seen), total)
	}
}

func TestSlowClientIsCutOffAndDelaysNobody(t *testing.T) {
	full, stuck := Config{QueueBytes: 256 << 10}, Config{WriteTimeout: 2 * time.Second, QueueFrames: 1 << 20, QueueBytes: 1 << 30}
	t.Run("full", func(t *testing.T) { testSlowClient(t, full, false, false) })
	t.Run("stuck", func(t *testing.T) { testSlowClient(t, stuck, false, true) })
	t.Run("full opaque", func(t *testing.T) { testSlowClient(t, full, true, false) })
	t.Run("stuck opaque", func(t *testing.T) { testSlowClient(t, stuck, true, true) })
}

func testSlowClient(t *testing.T, cfg Config, opaque, stuck bool) {
	const fast, size, most = 50, 16 << 10, 4000
	var delivered deliveries
	slow, closed := make(chan SlowClient, 8), make(chan Reason, fast+8)
	cfg.CloseTimeout = 50 * time.Millisecond
	cfg.MaxConnsPerUser = 2 * fast
	cfg.Hooks = Hooks{
		Delivered:  delivered.hook,
		SlowClient: func(_ context.Context, d SlowClient) { slow <- d },
		Closed:     func(_ context.Context, d Closed) { closed <- d.Reason },
	}
	w := newWorld(t, cfg)
	if opaque {
		w.hideTCP()
	}
	ann := w.user("ann")
	slowest := w.handshake(ann) // never reads
	_ = slowest.(*net.TCPConn).SetReadBuffer(4 << 10)
	clients := make([]net.Conn, fast)
	for i := range clients {
		clients[i] = w.handshake(ann)
		w.frame(clients[i]) // connect
	}
	// Each event is sent when the fast clients have the one before, until the slow client is cut off.
	e := chat.Event{Type: chat.EventMessageNew, To: []int64{ann.User.ID}, Payload: strings.Repeat("x", size)}
	sent := 0
	for ; sent < most && len(slow) == 0; sent++ {
		e.At = time.Now()
		w.hub.Deliver(t.Context(), e)
		var all sync.WaitGroup
		for _, c := range clients {
			all.Go(func() { w.frame(c) })
		}
		all.Wait()
		if d := time.Since(e.At); d > 5*time.Second {
			t.Fatalf("event %d took %v", sent, d)
		}
	}
	if d := <-slow; d.Stuck != stuck {
		t.Errorf("%+v", d)
	}
	if why := <-closed; why != ReasonSlow {
		t.Errorf("closed for %s", why)
	}
	w.await("all events counted", func() bool {
		n, written, dropped := delivered.total()
		return n == sent && written+dropped == sent*(fast+1)
	})
	if _, written, dropped := delivered.total(); written < sent*fast || dropped == 0 {
		t.Errorf("%d written, %d dropped", written, dropped)
	}
	if s := w.hub.Stats(); s.SlowClients != 1 || s.Connections != fast || s.Deliveries+s.Dropped != int64(sent*(fast+1)) {
		t.Errorf("%+v", s)
	}
}

// A client that was cut off and then reads gets the close code.
func TestSlowClientGetsTheCloseCode(t *testing.T) {
	w := newWorld(t, Config{QueueBytes: 1 << 20, CloseTimeout: patience})
	ann := w.user("ann")
	c := w.dial(ann)
	e := chat.Event{Type: chat.EventMessageNew, To: []int64{ann.User.ID}, Payload: strings.Repeat("x", 256<<10)}
	for w.hub.Stats().SlowClients == 0 {
		w.hub.Deliver(t.Context(), e)
	}
	c.wantClosed(websocket.StatusTryAgainLater)
}

func TestKilledClients(t *testing.T) {
	const n = 20
	var delivered deliveries
	closed := make(chan Reason, n+1) // bob's too
	w := newWorld(t, Config{Hooks: Hooks{
		Delivered: delivered.hook,
		Closed:    func(_ context.Context, d Closed) { closed <- d.Reason },
	}})
	ann, bob := w.user("ann"), w.user("bob")
	b := w.dial(bob)
	var dying []net.Conn
	for range n {
		c := w.handshake(ann)
		w.frame(c) // connect: from now on it gets events
		dying = append(dying, c)
	}
	e := chat.Event{Type: chat.EventMessageNew, To: []int64{ann.User.ID, bob.User.ID}, Payload: 1}
	const events = 200
	for i := range events {
		if i == events/2 { // after all have received the events so far
			w.await("the first half", func() bool { _, written, _ := delivered.total(); return written == i*(n+1) })
		}
		if d := i - events/2; d >= 0 && d < n {
			_ = dying[d].(*net.TCPConn).SetLinger(0)
			_ = dying[d].Close() // a reset
		}
		e.At = time.Now()
		w.hub.Deliver(t.Context(), e)
	}
	for range events {
		b.want("message.new")
	}
	for range n {
		if why := <-closed; why != ReasonLost {
			t.Errorf("closed for %s", why)
		}
	}
	w.await("all events counted", func() bool { got, _, _ := delivered.total(); return got == events })
	if _, written, _ := delivered.total(); written < events+n*events/2 {
		t.Errorf("%d written", written)
	}
	if s := w.hub.Stats(); s.OnlineUsers != 1 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
}

// A client that requests more than it reads is not cut off: the server stops reading from it.
func TestAnswersAreNotQueuedWithoutBound(t *testing.T) {
	w := newWorld(t, Config{QueueFrames: 8, FrameRate: 1 << 20, FrameBurst: 1 << 20})
	c := w.dial(w.user("ann"))
	const n = 20000
	go func() {
		for range n {
			if c.Write(context.Background(), websocket.MessageText, []byte(`{"type":"ping"}`)) != nil {
				return
			}
		}
	}()
	for range n / 10 {
		if f := c.next(); f.Type != "pong" {
			t.Fatalf("%s %s", f.Type, f.Payload)
		}
	}
	if s := w.hub.Stats(); s.SlowClients != 0 {
		t.Errorf("%+v", s)
	}
	_ = c.CloseNow()
}

// Connections open, close and get events concurrently. The counts must agree; run it with the race detector.
func TestComingAndGoing(t *testing.T) {
	var delivered deliveries
	w := newWorld(t, Config{QueueFrames: 1 << 20, QueueBytes: 1 << 30, Hooks: Hooks{Delivered: delivered.hook}})
	ann := w.user("ann")
	stop := make(chan struct{})
	var events int64
	var busy, all sync.WaitGroup
	busy.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				w.hub.Deliver(context.Background(), chat.Event{Type: chat.EventMessageNew, To: []int64{ann.User.ID}, Payload: 1})
				events++
			}
		}
	})
	for i := range 8 {
		all.Go(func() {
			for n := range 12 {
				conn, _, err := websocket.Dial(context.Background(), w.url(ann.Access), nil)
				if err != nil {
					t.Error(err)
					return
				}
				_, first, err := conn.Read(context.Background())
				if err != nil || !strings.Contains(string(first), `"connect"`) {
					t.Errorf("first frame %s, %v", first, err)
				}
				if (n+i)%2 == 0 {
					_ = conn.Close(websocket.StatusNormalClosure, "")
				} else {
					_ = conn.CloseNow()
				}
			}
		})
	}
	all.Wait()
	close(stop)
	busy.Wait()
	w.await("all connections closed", func() bool { return w.hub.Stats().Connections == 0 })
	w.stop()
	n, written, dropped := delivered.total()
	if s := w.hub.Stats(); s.Broadcasts != int64(n) || s.Deliveries != int64(written) || s.Dropped != int64(dropped) || int64(n) > events {
		t.Errorf("%d events of %d, %d written, %d dropped: %+v", n, events, written, dropped, s)
	}
}
