package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
)

// A target is a group or a user.
type target struct {
	ChatID     int64 `json:"chat_id,omitempty"`
	ReceiverID int64 `json:"receiver_id,omitempty"`
}

func (to target) query() string {
	if to.ChatID != 0 {
		return fmt.Sprint("chat_id=", to.ChatID)
	}
	return fmt.Sprint("receiver_id=", to.ReceiverID)
}

type receipt struct{ id, seq int64 }

// A client does what API.md asks of one: it sends with a client_msg_id, several
// messages at a time; when its connection breaks it connects again, to another
// node, asks for what comes after the last seq it has seen, and sends again what
// was not acknowledged, in its order.
type client struct {
	account imclient.Account
	stop    func() // disconnects for good; of run

	mu      sync.Mutex
	changed *sync.Cond
	silent  bool          // nothing new is sent
	pace    time.Duration // between messages, on average; 0: as fast as the window lets it
	patient bool          // a server that says it is unavailable is tried again, on another connection
	sends   []target
	next    int // number of the next new message
	unacked []outgoing
	acked   map[string]receipt
	refused map[int]bool    // messages that were on their way when a server said it is unavailable
	waits   []time.Duration // of what was acknowledged, since it was first sent
	views   map[target]*view
	told    []presence
	closes  []error // how connections ended, but for those that the test ended
	faults  []string
}

type outgoing struct {
	n  int
	to target
	at time.Time
}

// A view is what a client has seen of a conversation: all up to last, and more.
type view struct {
	last    int64
	seen    map[int64]string // client_msg_id by seq
	syncing bool
}

type presence struct {
	UserID   int64     `json:"user_id"`
	IsOnline bool      `json:"is_online"`
	LastSeen time.Time `json:"last_seen"`
}

// newClient makes an account and its client, which is silent until it has
// someone to write to.
func newClient(t *testing.T, p *process, phone string) *client {
	t.Helper()
	c := &client{acked: make(map[string]receipt), refused: make(map[int]bool), views: make(map[target]*view)}
	c.changed = sync.NewCond(&c.mu)
	c.account = p.register(t, phone)
	return c
}

func (c *client) clientMsgID(n int) string { return fmt.Sprintf("%d-%d", c.account.ID, n) }

// run keeps the client connected, first to node home, until stop or the end of t.
func (c *client) run(t *testing.T, all *nodes, home int) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for node := home; ctx.Err() == nil; node++ {
			c.session(ctx, c.account.At(all.node(node).url))
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	c.stop = func() { cancel(); <-done }
	t.Cleanup(c.stop)
}

// A session is one connection of a client.
type session struct {
	*client
	conn     *imclient.Conn
	resend   []outgoing
	inFlight int
	live     map[target]map[int64]bool // seq of message.new
	broken   bool
}

var errUnavailable = errors.New("the server is unavailable")

// window is how many messages are on their way at once.
const window = 8

// session connects and does everything until the connection breaks.
func (c *client) session(ctx context.Context, account imclient.Account) {
	conn, err := account.Dial(ctx)
	if err != nil {
		var refused *imclient.Error
		if errors.As(err, &refused) && refused.Status != http.StatusServiceUnavailable {
			c.fault("dial: %v", err)
		}
		return
	}
	defer func() { _ = conn.CloseNow() }()
	s := &session{client: c, conn: conn, live: make(map[target]map[int64]bool)}
	c.mu.Lock()
	s.resend = slices.Clone(c.unacked)
	for to, r := range c.views {
		r.syncing = true
		s.sync(ctx, to, r.last)
	}
	c.mu.Unlock()
	read := make(chan struct{})
	go func() {
		defer close(read)
		s.read(ctx)
	}()
	for {
		o, ok := s.nextToSend()
		if !ok {
			break
		}
		_, _ = conn.WriteFrame(ctx, "message.send", struct { // the reader, too, finds out that it fails
			target
			Content     string `json:"content"`
			ClientMsgID string `json:"client_msg_id"`
		}{o.to, fmt.Sprint(o.n), c.clientMsgID(o.n)})
		if c.pace > 0 {
			select {
			case <-time.After(rand.N(2 * c.pace)):
			case <-ctx.Done():
			}
		}
	}
	<-read
}

// nextToSend waits for the turn of the next message; false is the end of the
// connection.
func (s *session) nextToSend() (outgoing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.broken && (s.inFlight == window || len(s.resend) == 0 && (s.silent || len(s.sends) == 0)) {
		s.changed.Wait()
	}
	if s.broken {
		return outgoing{}, false
	}
	s.inFlight++
	if len(s.resend) > 0 {
		o := s.resend[0]
		s.resend = s.resend[1:]
		return o, true
	}
	o := outgoing{s.next, s.sends[s.next%len(s.sends)], time.Now()}
	s.next++
	s.unacked = append(s.unacked, o)
	return o, true
}

func (s *session) sync(ctx context.Context, to target, after int64) {
	_, _ = s.conn.WriteFrame(ctx, "sync", struct {
		target
		AfterSeq int64 `json:"after_seq"`
	}{to, after})
}

func (s *session) read(ctx context.Context) {
	var err error
	for err == nil {
		var f imclient.Frame
		if f, err = s.conn.ReadFrame(ctx); err == nil {
			s.mu.Lock()
			err = s.take(ctx, f.Type, f.Payload)
			s.changed.Broadcast()
			s.mu.Unlock()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	if ctx.Err() == nil {
		s.closes = append(s.closes, err)
	}
	if errors.Is(err, errUnavailable) {
		for _, o := range s.unacked {
			s.refused[o.n] = true
		}
	}
	s.changed.Broadcast()
}

// take acts upon a frame.
func (s *session) take(ctx context.Context, kind string, payload json.RawMessage) error {
	switch kind {
	case "message.ack":
		return s.takeAck(payload)
	case "message.new":
		return s.takeLive(ctx, payload)
	case "sync":
		return s.takeSync(ctx, payload)
	case "presence":
		var p presence
		if err := json.Unmarshal(payload, &p); err != nil {
			return err
		}
		s.told = append(s.told, p)
	case "error":
		if s.patient && strings.Contains(string(payload), `"unavailable"`) {
			return errUnavailable
		}
		s.faults = append(s.faults, string(payload))
	}
	return nil
}

func (s *session) takeAck(payload json.RawMessage) error {
	var a struct {
		ClientMsgID string `json:"client_msg_id"`
		ID, Seq     int64
	}
	if err := json.Unmarshal(payload, &a); err != nil {
		return err
	}
	s.inFlight--
	s.acked[a.ClientMsgID] = receipt{a.ID, a.Seq}
	i := slices.IndexFunc(s.unacked, func(o outgoing) bool { return s.clientMsgID(o.n) == a.ClientMsgID })
	if i < 0 {
		s.faults = append(s.faults, a.ClientMsgID+" was acknowledged twice on one connection")
		return nil
	}
	s.saw(s.unacked[i].to, a.Seq, a.ClientMsgID)
	s.waits = append(s.waits, time.Since(s.unacked[i].at))
	s.unacked = slices.Delete(s.unacked, i, i+1)
	return nil
}

// takeLive takes a message.new. Before it every message of its conversation
// should have come; if not, and it is not one of our own that is still to be
// acknowledged, the client asks.
func (s *session) takeLive(ctx context.Context, payload json.RawMessage) error {
	var p struct{ Message imclient.Message }
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	m := p.Message
	to := s.of(m)
	if s.live[to] == nil {
		s.live[to] = make(map[int64]bool)
	}
	if s.live[to][m.Seq] {
		s.faults = append(s.faults, fmt.Sprintf("seq %d of %v came twice on one connection", m.Seq, to))
	}
	s.live[to][m.Seq] = true
	r := s.saw(to, m.Seq, m.ClientMsgID)
	if r.last < m.Seq && !r.syncing && len(s.unacked) == 0 {
		r.syncing = true
		s.sync(ctx, to, r.last)
	}
	return nil
}

func (s *session) takeSync(ctx context.Context, payload json.RawMessage) error {
	var p struct {
		target
		Messages []imclient.Message
		HasMore  bool `json:"has_more"`
	}
	if err := json.Unmarshal(payload, &p); err != nil {
		return err
	}
	for _, m := range p.Messages {
		s.saw(p.target, m.Seq, m.ClientMsgID)
	}
	r := s.view(p.target)
	if r.syncing = p.HasMore; r.syncing {
		s.sync(ctx, p.target, p.Messages[len(p.Messages)-1].Seq)
	}
	return nil
}

// of returns the conversation of a message.
func (c *client) of(m imclient.Message) target {
	switch {
	case m.ChatID != 0:
		return target{ChatID: m.ChatID}
	case m.SenderID == c.account.ID:
		return target{ReceiverID: m.ReceiverID}
	}
	return target{ReceiverID: m.SenderID}
}

func (c *client) view(to target) *view {
	r, ok := c.views[to]
	if !ok {
		r = &view{seen: make(map[int64]string)}
		c.views[to] = r
	}
	return r
}

// saw notes a message, which may come live and by sync: its seq tells that it
// is the same.
func (c *client) saw(to target, seq int64, clientMsgID string) *view {
	r := c.view(to)
	if other, ok := r.seen[seq]; ok && other != clientMsgID {
		c.faults = append(c.faults, fmt.Sprintf("seq %d of %v is %s and %s", seq, to, other, clientMsgID))
	}
	r.seen[seq] = clientMsgID
	for r.seen[r.last+1] != "" {
		r.last++
	}
	return r
}

func (c *client) fault(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// waitFor waits until ok, which may read what the client has.
func (c *client) waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.AfterFunc(patience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.changed.Broadcast()
	})
	defer timeout.Stop()
	deadline := time.Now().Add(patience)
	c.mu.Lock()
	defer c.mu.Unlock()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("client %d: not within %s: %s", c.account.ID, patience, what)
		}
		c.changed.Wait()
	}
}

// goOn waits until each client has had n more messages acknowledged.
func goOn(t *testing.T, clients []*client, n int) {
	t.Helper()
	want := make([]int, len(clients))
	for i, c := range clients {
		c.mu.Lock()
		want[i] = len(c.acked) + n
		c.mu.Unlock()
	}
	for i, c := range clients {
		c.waitFor(t, "messages are acknowledged", func() bool { return len(c.acked) >= want[i] })
	}
}

// settle has clients send nothing new, and waits until all is acknowledged.
func settle(t *testing.T, clients []*client) {
	t.Helper()
	for _, c := range clients {
		c.mu.Lock()
		c.silent = true
		c.changed.Broadcast()
		c.mu.Unlock()
	}
	for _, c := range clients {
		c.waitFor(t, "everything is acknowledged", func() bool { return len(c.unacked) == 0 })
	}
}

// check compares what the server has stored with what clients, who are all the
// senders there are, know: every acknowledged message is there, once; seq has no
// gap; each sender's messages are in their order; and every client of every
// conversation has seen all of it, each message once. It stops the clients.
func check(t *testing.T, p *process, clients []*client) {
	t.Helper()
	stored := make(map[string]receipt)
	refused := make(map[string]bool)
	for _, c := range clients {
		c.mu.Lock()
		for n := range c.refused {
			refused[c.clientMsgID(n)] = true
		}
		c.mu.Unlock()
	}
	seen := 0
	for _, c := range clients {
		c.mu.Lock()
		views := make([]target, 0, len(c.views))
		for to := range c.views {
			views = append(views, to)
		}
		c.mu.Unlock()
		for _, to := range views {
			history := p.history(t, c, to)
			seen += len(history)
			checkOrder(t, history, refused)
			c.waitFor(t, fmt.Sprintf("all of %v is seen", to), func() bool { return c.views[to].last == int64(len(history)) })
			c.mu.Lock()
			for _, m := range history {
				if got := c.views[to].seen[m.Seq]; got != m.ClientMsgID {
					t.Errorf("client %d saw %s as seq %d of %v, which is %s", c.account.ID, got, m.Seq, to, m.ClientMsgID)
				}
				stored[m.ClientMsgID] = receipt{m.ID, m.Seq}
			}
			c.mu.Unlock()
		}
	}
	acked := 0
	for _, c := range clients {
		c.stop()
		for id, r := range c.acked {
			if acked++; stored[id] != r {
				t.Errorf("%s was acknowledged as %+v, and is %+v", id, r, stored[id])
			}
		}
		if len(c.acked) != c.next {
			t.Errorf("client %d sent %d messages, and %d were acknowledged", c.account.ID, c.next, len(c.acked))
		}
		for _, f := range c.faults {
			t.Errorf("client %d: %s", c.account.ID, f)
		}
	}
	if len(stored) != acked {
		t.Errorf("%d messages are stored, %d were acknowledged", len(stored), acked)
	}
	t.Logf("%d messages, each acknowledged and stored once; %d times seen", acked, seen)
}

// checkOrder wants what each sender wrote in the order in which it was sent, but for
// what a server may have refused: that was sent again, behind others that were on
// their way at the same time and stored.
func checkOrder(t *testing.T, history []imclient.Message, refused map[string]bool) {
	t.Helper()
	ids := make(map[string]bool)
	last := make(map[int64]int)
	for i, m := range history {
		var n int
		if _, err := fmt.Sscan(m.Content, &n); err != nil {
			t.Fatal(err)
		}
		if m.Seq != int64(i+1) {
			t.Fatalf("after seq %d comes %d", i, m.Seq)
		}
		if ids[m.ClientMsgID] {
			t.Errorf("%s is stored twice", m.ClientMsgID)
		}
		ids[m.ClientMsgID] = true
		if before, ok := last[m.SenderID]; ok && n <= before && !refused[m.ClientMsgID] {
			t.Errorf("sender %d: message %d follows %d", m.SenderID, n, before)
		}
		last[m.SenderID] = max(last[m.SenderID], n)
	}
}
