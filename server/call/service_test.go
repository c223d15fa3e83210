package call_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore"
	"github.com/onemeter/onemeter/server/sqlstore/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A world is a database, users, and the nodes that share it. Its network takes
// every frame to where it belongs, on all nodes.
type world struct {
	*testing.T
	store *fragile
	nodes []*node

	mu       sync.Mutex
	conns    uint64
	frames   map[uint64][]call.Notice // by connection
	open     map[uint64]*client
	deaf     bool // frames are lost
	finished []call.Finished
}

type node struct{ *call.Service }

// A client is one connection of a user.
type client struct {
	*world
	node *node
	call.Device
}

// A fragile store is a real one that can be away.
type fragile struct {
	*sqlstore.Store
	away atomic.Bool
	// afterCallOf is called, once, when it has been read which call a user is in.
	afterCallOf func()
}

func (f *fragile) CallOf(ctx context.Context, userID int64) (call.Call, error) {
	c, err := f.Store.CallOf(ctx, userID)
	if then := f.afterCallOf; then != nil {
		f.afterCallOf = nil
		then()
	}
	return c, err
}

var errAway = errors.New("away")

func (f *fragile) ChangeCall(ctx context.Context, id string, change func(*call.Call) error) (call.Call, error) {
	if f.away.Load() {
		return call.Call{}, errAway
	}
	return f.Store.ChangeCall(ctx, id, change)
}

func (f *fragile) RenewLegs(ctx context.Context, conns []uint64, until time.Time) ([]uint64, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.RenewLegs(ctx, conns, until)
}

func (f *fragile) LateCalls(ctx context.Context, now time.Time, limit int) ([]string, error) {
	if f.away.Load() {
		return nil, errAway
	}
	return f.Store.LateCalls(ctx, now, limit)
}

// migrated gives each test a database of its own that has all tables.
var migrated = storetest.Template(func(path string) (io.Closer, error) {
	return sqlstore.Open(context.Background(), sqlstore.Config{Path: path})
})

// inWorld runs a test on n nodes, in a bubble where time passes by itself, so
// that the test may wait for it.
func inWorld(t *testing.T, n int, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: migrated(t)})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{T: t, store: &fragile{Store: store}, conns: 100,
			frames: make(map[uint64][]call.Notice), open: make(map[uint64]*client)}
		for i := range 5 {
			if _, err := store.CreateUser(t.Context(), chat.User{Phone: fmt.Sprint(10001 + i), Role: chat.RoleUser}, ""); err != nil {
				t.Fatal(err)
			}
		}
		for range n {
			w.start()
		}
		test(w)
		for _, n := range w.nodes {
			n.Close()
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

var errStranger = errors.New("a stranger")

// start starts another node.
func (w *world) start(change ...func(*call.Config)) *node {
	cfg := call.Config{
		Store: w.store, Notifier: w,
		MayCall: func(_ context.Context, _, callee int64) error {
			if callee == 5 {
				return errStranger
			}
			return nil
		},
		Hooks: call.Hooks{Finished: func(_ context.Context, d call.Finished) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.finished = append(w.finished, d)
		}},
	}
	for _, c := range change {
		c(&cfg)
	}
	n := &node{call.New(cfg)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, n)
	return n
}

// kill ends a node that tells nobody.
func (w *world) kill(n *node) {
	n.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = slices.DeleteFunc(w.nodes, func(o *node) bool { return o == n })
}

// Notify implements call.Notifier.
func (w *world) Notify(_ context.Context, n call.Notice) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deaf {
		return nil
	}
	for conn, c := range w.open {
		if c.UserID == n.To && (n.Only == 0 || n.Only == conn) && n.Except != conn {
			w.frames[conn] = append(w.frames[conn], n)
		}
	}
	if n.Type == call.TypeEnd && n.Only != 0 {
		for _, node := range w.nodes {
			node.Over(n.Only, n.Frame.CallID)
		}
	}
	return nil
}

// setDeaf has all frames lost, or brought again.
func (w *world) setDeaf(deaf bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf = deaf
}

// ends lists what the nodes said of calls that have ended.
func (w *world) ends() []call.Finished {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.finished)
}

// connect opens a connection of a user to a node; its login is new unless one is
// given.
func (w *world) connect(n *node, user int64, session ...string) *client {
	w.Helper()
	w.mu.Lock()
	w.conns++
	c := &client{world: w, node: n, Device: call.Device{UserID: user, Conn: w.conns, Session: fmt.Sprint("login ", w.conns)}}
	if len(session) > 0 {
		c.Session = session[0]
	}
	w.open[c.Conn] = c
	w.mu.Unlock()
	if err := n.Connected(w.Context(), c.Device); err != nil {
		w.Fatal(err)
	}
	return c
}

// vanish takes a connection away, and tells nobody.
func (c *client) vanish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, c.Conn)
}

func (c *client) disconnect() {
	c.Helper()
	c.vanish()
	if err := c.node.Disconnected(c.Context(), c.Device); err != nil {
		c.Fatal(err)
	}
}

var (
	sdp = json.RawMessage(`{"type":"offer","sdp":"v=0"}`)
	ice = json.RawMessage(`{"candidate":"x"}`)
)

// call calls a user and returns the call's id.
func (c *client) call(user int64) string {
	c.Helper()
	s, _, err := c.node.Start(c.Context(), c.Device, call.Offer{To: user, Type: call.Video, SDP: sdp})
	if err != nil {
		c.Fatal(err)
	}
	return s.ID
}

func (c *client) try(id string, e call.Event) error {
	_, err := c.node.Do(c.Context(), c.Device, id, e)
	return err
}

func (c *client) do(id string, e call.Event) {
	c.Helper()
	if err := c.try(id, e); err != nil {
		c.Fatalf("%T by user %d: %v", e, c.UserID, err)
	}
}

// got returns in short what a client was told since the last time.
func (c *client) got() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, n := range c.frames[c.Conn] {
		word := strings.TrimPrefix(n.Type, "call.")
		for _, more := range []string{string(n.Frame.Status), string(n.Frame.Reason)} {
			if more != "" {
				word += " " + more
			}
		}
		all = append(all, word)
	}
	c.frames[c.Conn] = nil
	return strings.Join(all, ", ")
}

func (c *client) wants(want string) {
	c.Helper()
	if got := c.got(); got != want {
		c.Errorf("user %d got %q, want %q", c.UserID, got, want)
	}
}

func (w *world) refused(err error, kind call.Kind, part string) {
	w.Helper()
	if e, ok := errors.AsType[*call.Error](err); !ok || e.Kind != kind || !strings.Contains(e.Why, part) {
		w.Errorf("error %v, want %s, …%s…", err, kind, part)
	}
}

// up is the gauge, of all nodes.
func (w *world) up() (n int) {
	for _, node := range w.nodes {
		n += node.Stats().Up
	}
	return n
}

func (w *world) wantUp(when string, want int) {
	w.Helper()
	if got := w.up(); got != want {
		w.Errorf("%s: %d peers are up, want %d", when, got, want)
	}
}

func (w *world) summary(n *node, user int64, id string) call.Summary {
	w.Helper()
	s, err := n.Call(w.Context(), user, id)
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// connected is a call of users 1 and 2 whose media is up.
func (w *world) connected(a, b *client) string {
	w.Helper()
	id := a.call(b.UserID)
	b.do(id, call.Answer{SDP: sdp})
	a.do(id, call.Status{Status: call.Connected})
	b.do(id, call.Status{Status: call.Connected})
	a.got()
	b.got()
	w.wantUp("connected", 2)
	return id
}

func TestCall(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		alice, bob := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		laptop := w.connect(w.nodes[0], 2)
		id := alice.call(2)
		alice.wants("status ringing")
		bob.wants("offer")
		laptop.wants("offer")
		bob.do(id, call.Status{Status: call.Ringing})
		alice.wants("status ringing")
		alice.do(id, call.Candidate{Candidate: ice})
		bob.wants("")
		time.Sleep(3 * time.Second)
		bob.do(id, call.Answer{SDP: sdp})
		bob.wants("status answered, ice")
		laptop.wants("status answered")
		alice.wants("answer")
		w.refused(laptop.try(id, call.Answer{SDP: sdp}), call.KindConflict, "another device")
		bob.do(id, call.Candidate{Candidate: ice})
		alice.wants("ice")
		w.wantUp("answered", 0)
		time.Sleep(time.Second)
		alice.do(id, call.Status{Status: call.Connected})
		w.wantUp("one says so", 1)
		bob.do(id, call.Status{Status: call.Connected})
		bob.do(id, call.Status{Status: call.Connected})
		w.wantUp("both say so", 2)
		bob.do(id, call.Status{Status: call.Answered})
		w.wantUp("one has lost it", 1)
		bob.do(id, call.Status{Status: call.Connected})
		alice.wants("status connected, status connected, status answered, status connected")
		alice.do(id, call.Offer{SDP: sdp})
		bob.wants("status connected, offer")
		bob.do(id, call.Answer{SDP: sdp})
		alice.wants("answer")
		time.Sleep(5 * time.Minute)
		w.wantUp("minutes later", 2)
		bob.do(id, call.End{})
		w.wantUp("ended", 0)
		alice.wants("end user_hangup")
		bob.wants("status ended user_hangup")
		laptop.wants("")
		w.refused(alice.try(id, call.Candidate{Candidate: ice}), call.KindConflict, "has ended: user_hangup")

		s := w.summary(w.nodes[0], 2, id)
		if s.Ring != 3 || s.Setup != 1 || s.Duration != 300 || s.EndedBy != 2 || s.Reason != call.UserHangup ||
			s.Candidates != (call.Counts{Caller: 1, Callee: 1}) {
			w.Errorf("%+v", s)
		}
		if want := []call.Finished{{Reason: call.UserHangup, Connected: true, Talk: 5 * time.Minute}}; !slices.Equal(w.ends(), want) {
			w.Errorf("finished %+v", w.ends())
		}
	})
}

// TestEveryEnd has each way of ending a call bring the gauge back to 0.
func TestEveryEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		end    func(w *world, a, b *client, id string)
		during string // what the other side gets
		reason call.Reason
	}{
		{"the caller hangs up", func(_ *world, a, _ *client, id string) { a.do(id, call.End{}) }, "end user_hangup", call.UserHangup},
		{"by status", func(_ *world, a, _ *client, id string) { a.do(id, call.Status{Status: call.Ended}) }, "end user_hangup", call.UserHangup},
		{"the network of the caller fails", func(_ *world, a, _ *client, id string) { a.do(id, call.End{Reason: call.NetworkError}) }, "end network_error", call.NetworkError},
		{"by REST, on another node", func(w *world, a, _ *client, id string) {
			_, err := w.nodes[1].Do(w.Context(), call.Device{UserID: a.UserID}, id, call.End{})
			if err != nil {
				w.Error(err)
			}
		}, "end user_hangup", call.UserHangup},
		{"the caller is killed", func(w *world, a, _ *client, _ string) {
			a.disconnect()
			w.wantUp("the killed one does not count", 1)
			time.Sleep(9 * time.Second)
			w.wantUp("his peer does", 1)
			time.Sleep(3 * time.Second)
		}, "end network_error", call.NetworkError},
		{"the node of the caller is killed", func(w *world, a, _ *client, _ string) {
			a.vanish()
			w.kill(a.node)
			time.Sleep(12 * time.Second)
		}, "end network_error", call.NetworkError},
		{"both are killed", func(_ *world, a, b *client, _ string) {
			a.disconnect()
			b.disconnect()
			time.Sleep(12 * time.Second)
		}, "", call.NetworkError},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				time.Sleep(time.Minute) // the nodes have been up for a while
				a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
				id := w.connected(a, b)
				c.end(w, a, b, id)
				synctest.Wait()
				w.wantUp("after the end", 0)
				b.wants(c.during)
				if s := w.summary(b.node, 1, id); s.Status != call.Ended || s.Reason != c.reason {
					w.Errorf("the call is %s: %s", s.Status, s.Reason)
				}
				if len(w.ends()) != 1 {
					w.Errorf("it ended %d times", len(w.ends()))
				}
				for _, n := range w.nodes {
					if n.Stats().Devices != 0 {
						w.Error("a connection is in no call")
					}
				}
				w.connect(b.node, 1).call(2) // both are free
			})
		})
	}
}

// TestEndsBeforeTheAnswer is for calls that nobody answers.
func TestEndsBeforeTheAnswer(t *testing.T) {
	for _, c := range []struct {
		name           string
		end            func(w *world, a, phone *client, id string)
		caller, callee string
		reason         call.Reason
	}{
		{"taken back", func(_ *world, a, _ *client, id string) { a.do(id, call.End{}) },
			"status ended user_hangup", "end user_hangup", call.UserHangup},
		{"rejected", func(_ *world, _, phone *client, id string) { phone.do(id, call.End{}) },
			"end user_rejected", "end user_rejected", call.UserRejected},
		{"busy, says the client", func(_ *world, _, phone *client, id string) { phone.do(id, call.End{Reason: call.UserBusy}) },
			"end user_busy", "end user_busy", call.UserBusy},
		{"nobody answers", func(w *world, _, _ *client, _ string) {
			time.Sleep(44 * time.Second)
			if n := len(w.ends()); n != 0 {
				w.Error("too early")
			}
			time.Sleep(2 * time.Second)
		}, "end timeout", "end timeout", call.Timeout},
		{"the caller is gone", func(_ *world, a, _ *client, _ string) {
			a.disconnect()
			time.Sleep(12 * time.Second)
		}, "", "end network_error", call.NetworkError},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 2, func(w *world) {
				time.Sleep(time.Minute)
				a, phone, laptop := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2), w.connect(w.nodes[0], 2)
				id := a.call(2)
				a.got()
				phone.got()
				laptop.got()
				c.end(w, a, phone, id)
				synctest.Wait()
				a.wants(c.caller)
				laptop.wants(c.callee) // every device stops ringing
				w.refused(laptop.try(id, call.Answer{SDP: sdp}), call.KindConflict, "has ended")
				if s := w.summary(a.node, 2, id); s.Reason != c.reason || s.Duration != 0 {
					w.Errorf("%+v", s)
				}
			})
		})
	}
}

// TestFirstAnswerWins has all devices of the callee answer at once, on two nodes.
func TestFirstAnswerWins(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		alice := w.connect(w.nodes[0], 1)
		var devices []*client
		for i := range 6 {
			devices = append(devices, w.connect(w.nodes[i%2], 2))
		}
		for range 5 {
			id := alice.call(2)
			alice.do(id, call.Candidate{Candidate: ice})
			alice.got()
			var winners atomic.Int64
			var wg sync.WaitGroup
			for _, d := range devices {
				wg.Go(func() {
					if err := d.try(id, call.Answer{SDP: sdp}); err == nil {
						winners.Add(1)
					} else {
						w.refused(err, call.KindConflict, "answered on another device")
					}
				})
			}
			wg.Wait()
			if n := winners.Load(); n != 1 {
				w.Fatalf("%d devices answered", n)
			}
			alice.wants("answer")
			told := make(map[string]int)
			for _, d := range devices {
				told[d.got()]++
			}
			if told["offer, status answered, ice"] != 1 || told["offer, status answered"] != 5 {
				w.Errorf("the devices were told %v", told)
			}
			alice.do(id, call.End{})
			for _, d := range devices {
				d.got()
			}
		}
	})
}

// TestGlare has two users call each other at once: one call comes of it, which
// both know of.
func TestGlare(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		for range 20 {
			ids := make([]string, 2)
			var wg sync.WaitGroup
			wg.Go(func() { ids[0] = a.call(2) })
			wg.Go(func() { ids[1] = b.call(1) })
			wg.Wait()
			if ids[0] != ids[1] {
				w.Fatalf("two calls: %v", ids)
			}
			caller, callee := a, b
			if s := w.summary(a.node, 1, ids[0]); s.CallerID == 2 {
				caller, callee = b, a
			}
			caller.wants("status ringing")
			if got := callee.got(); got != "offer, status ringing, offer" && got != "status ringing, offer, offer" {
				w.Errorf("who is called got %q", got)
			}
			callee.do(ids[0], call.Answer{SDP: sdp})
			caller.wants("answer")
			caller.do(ids[0], call.End{})
			caller.got()
			callee.got()
		}
	})
}

func TestWhoIsInACall(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		n := w.nodes[0]
		a, b, c := w.connect(n, 1), w.connect(n, 2), w.connect(n, 3)
		w.connected(a, b)
		_, _, err := n.Start(w.Context(), a.Device, call.Offer{To: 3, Type: call.Audio, SDP: sdp})
		w.refused(err, call.KindConflict, "you are in a call already")
		_, _, err = n.Start(w.Context(), a.Device, call.Offer{To: 2, Type: call.Audio, SDP: sdp})
		w.refused(err, call.KindConflict, "you are in a call already")

		id := c.call(2)
		c.wants("end user_busy")
		b.wants("")
		if s := w.summary(n, 3, id); s.Status != call.Ended || s.Reason != call.UserBusy {
			w.Errorf("%+v", s)
		}
		for _, e := range []call.Event{call.End{}, call.Candidate{Candidate: ice}, call.Answer{SDP: sdp}, call.Offer{SDP: sdp}} {
			w.refused(w.connect(n, 4).try(id, e), call.KindNotFound, "no such call")
		}
		_, err = n.Call(w.Context(), 4, id)
		w.refused(err, call.KindNotFound, "no such call")
		w.refused(a.try("no call", call.End{}), call.KindNotFound, "no such call")
		w.refused(a.try("", call.End{}), call.KindInvalid, "call_id is required")

		for _, o := range []call.Offer{
			{To: 4, Type: call.Audio}, {To: 4, Type: "carrier pigeon", SDP: sdp}, {Type: call.Audio, SDP: sdp},
			{To: 3, Type: call.Audio, SDP: sdp}, {To: -1, Type: call.Audio, SDP: sdp},
		} {
			_, _, err := n.Start(w.Context(), c.Device, o)
			w.refused(err, call.KindInvalid, "")
		}
		if _, _, err := n.Start(w.Context(), c.Device, call.Offer{To: 5, Type: call.Audio, SDP: sdp}); !errors.Is(err, errStranger) {
			w.Errorf("a stranger is called: %v", err)
		}
	})
}

// TestCallMadeByREST begins without an offer, which follows.
func TestCallMadeByREST(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		n := w.nodes[0]
		a, b := w.connect(n, 1), w.connect(n, 2)
		plain := call.Device{UserID: 1}
		s, made, err := n.Start(w.Context(), plain, call.Offer{To: 2, Type: call.Audio})
		if err != nil || !made || s.Status != call.Ringing {
			w.Fatalf("%+v, %t, %v", s, made, err)
		}
		a.wants("")
		b.wants("status ringing")
		w.connect(n, 2).wants("status ringing")
		w.refused(b.try(s.ID, call.Answer{SDP: sdp}), call.KindConflict, "wait for call.offer")
		again, made, err := n.Start(w.Context(), plain, call.Offer{To: 2, Type: call.Audio})
		if err != nil || made || again.ID != s.ID {
			w.Errorf("again: %+v, %t, %v", again, made, err)
		}
		other, made, err := n.Start(w.Context(), call.Device{UserID: 2}, call.Offer{To: 1, Type: call.Audio})
		if err != nil || made || other.ID != s.ID {
			w.Errorf("the other way round: %+v, %t, %v", other, made, err)
		}
		if id := a.call(2); id != s.ID {
			w.Errorf("an offer made another call")
		}
		a.wants("status ringing")
		b.wants("offer")
		b.do(s.ID, call.Answer{SDP: sdp})
		a.wants("answer")
	})
}

// TestReconnect is for clients that lose their connection, and come back.
func TestReconnect(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		time.Sleep(time.Minute)
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		id := w.connected(a, b)

		a.disconnect()
		b.do(id, call.Candidate{Candidate: ice})
		time.Sleep(9 * time.Second)
		w.connect(w.nodes[1], 1) // a device with another login
		w.wantUp("away", 1)
		a = w.connect(w.nodes[1], 1, a.Session)
		a.wants("ice")
		w.wantUp("back, on another node", 2)
		time.Sleep(time.Minute)
		w.wantUp("a minute later", 2)

		// Its new connection is there before the old one is known to be gone.
		old := a
		a = w.connect(w.nodes[0], 1, a.Session)
		a.do(id, call.Status{Status: call.Connected})
		old.disconnect()
		w.wantUp("moved", 2)
		time.Sleep(time.Minute)
		w.wantUp("a minute later", 2)

		// It moves to another device, which negotiates anew.
		laptop := w.connect(w.nodes[1], 1)
		laptop.do(id, call.Offer{SDP: sdp})
		a.wants("status answered")
		b.wants("status connected, offer")
		time.Sleep(3 * time.Second) // until the other node has seen it
		w.wantUp("not up there yet", 1)
		laptop.do(id, call.Status{Status: call.Connected})
		time.Sleep(time.Minute)
		w.wantUp("on the laptop", 2)
		a.disconnect()
		laptop.do(id, call.End{})
		w.wantUp("ended", 0)
	})
}

// TestReconnectWhileItRings is for a caller whose new connection is there before
// the old one is known to be gone.
func TestReconnectWhileItRings(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		time.Sleep(time.Minute)
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		id, old := a.call(2), a
		a = w.connect(w.nodes[1], 1, a.Session)
		a.do(id, call.Status{Status: call.Ringing})
		a.wants("status ringing")
		w.refused(w.connect(w.nodes[1], 1).try(id, call.Status{Status: call.Ringing}), call.KindConflict, "another device")
		old.disconnect()
		time.Sleep(30 * time.Second)
		b.do(id, call.Answer{SDP: sdp})
		a.wants("answer")
	})
}

// TestWhoConnectsIsCalled is for a callee who is not there when he is called.
func TestWhoConnectsIsCalled(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a := w.connect(w.nodes[0], 1)
		id := a.call(2)
		time.Sleep(30 * time.Second)
		b := w.connect(w.nodes[1], 2)
		b.wants("offer")
		b.do(id, call.Answer{SDP: sdp})
		laptop := w.connect(w.nodes[0], 2)
		laptop.wants("")
		time.Sleep(time.Minute)
		if s := w.summary(w.nodes[0], 1, id); s.Status != call.Answered {
			w.Errorf("the call is %s", s.Status)
		}
	})
}

// TestWhoConnectsTooLate has a call answered, or taken back, while a device
// connects: it rings, and stops.
func TestWhoConnectsTooLate(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, phone := w.connect(w.nodes[0], 1), w.connect(w.nodes[0], 2)
		id := a.call(2)
		w.store.afterCallOf = func() { phone.do(id, call.Answer{SDP: sdp}) }
		w.connect(w.nodes[0], 2).wants("status answered, offer, status answered")
		a.do(id, call.End{})
		id = a.call(2)
		w.store.afterCallOf = func() { a.do(id, call.End{}) }
		w.connect(w.nodes[0], 2).wants("end user_hangup, offer, end user_hangup")
	})
}

// TestLostOffer has a node not hear that its users are called.
func TestLostOffer(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b, c := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2), w.connect(w.nodes[1], 3)
		w.setDeaf(true)
		id := a.call(2)
		w.setDeaf(false)
		resume := func() {
			if err := w.nodes[1].Resume(w.Context(), []call.Device{b.Device, c.Device}); err != nil {
				w.Fatal(err)
			}
		}
		resume()
		b.wants("offer")
		c.wants("")
		b.do(id, call.Answer{SDP: sdp})
		b.wants("status answered")
		resume()
		b.wants("")
	})
}

// TestLostEnd has a node not hear that a call has ended.
func TestLostEnd(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		id := w.connected(a, b)
		w.setDeaf(true)
		b.do(id, call.End{})
		w.setDeaf(false)
		w.wantUp("nobody knows", 1)
		time.Sleep(3 * time.Second)
		w.wantUp("the node has found out", 0)
		a.wants("end user_hangup")
	})
}

// TestRestart kills the only node in the middle of two calls: one whose clients
// come back to it, and one whose do not.
func TestRestart(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[0], 2)
		c, d := w.connect(w.nodes[0], 3), w.connect(w.nodes[0], 4)
		stays := w.connected(a, b)
		lost := c.call(4)
		d.do(lost, call.Answer{SDP: sdp})
		w.kill(w.nodes[0])
		for _, c := range []*client{a, b, c, d} {
			c.vanish()
		}
		time.Sleep(time.Minute)
		n := w.start()
		time.Sleep(5 * time.Second)
		for _, gone := range []*client{a, b} {
			w.connect(n, gone.UserID, gone.Session).do(stays, call.Status{Status: call.Connected})
		}
		time.Sleep(time.Minute)
		w.wantUp("back", 2)
		if s := w.summary(n, 1, stays); s.Status != call.Connected {
			w.Errorf("who came back are in a call that is %s", s.Status)
		}
		if s := w.summary(n, 3, lost); s.Reason != call.NetworkError {
			w.Errorf("who did not are in a call that is %s", s.Status)
		}
	})
}

// TestStoreAway wants no call ended for want of a store, and all looked after
// again when it is back.
func TestStoreAway(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		time.Sleep(time.Minute)
		a, b := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		id := w.connected(a, b)
		w.store.away.Store(true)
		time.Sleep(time.Minute)
		w.store.away.Store(false)
		time.Sleep(time.Minute)
		w.wantUp("a minute later", 2)
		if s := w.summary(a.node, 1, id); s.Status != call.Connected {
			w.Errorf("the call is %s", s.Status)
		}

		w.store.away.Store(true)
		a.vanish()
		if err := a.node.Disconnected(w.Context(), a.Device); !errors.Is(err, errAway) {
			w.Errorf("gone while the store was away: %v", err)
		}
		w.store.away.Store(false)
		time.Sleep(25 * time.Second)
		b.wants("end network_error")
		w.wantUp("ended", 0)
	})
}

// TestEndCall ends the call between two users, and no other.
func TestEndCall(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		caller, callee := w.connect(w.nodes[0], 1), w.connect(w.nodes[1], 2)
		id := caller.call(2)
		caller.got()
		callee.wants("offer")
		for _, pair := range [][2]int64{{1, 3}, {3, 1}, {3, 4}, {2, 4}} {
			if err := w.nodes[1].EndCall(w.Context(), pair[0], pair[1]); err != nil {
				w.Error(err)
			}
		}
		if c, err := w.store.Call(w.Context(), id); err != nil || c.State != call.Ringing {
			w.Fatalf("%+v, %v", c, err)
		}
		for range 2 { // twice is as good as once
			if err := w.nodes[1].EndCall(w.Context(), 2, 1); err != nil {
				w.Error(err)
			}
		}
		if c, err := w.store.Call(w.Context(), id); err != nil || c.State != call.Ended || c.Reason != call.UserRejected || c.EndedBy != 2 {
			w.Errorf("%+v, %v", c, err)
		}
		caller.wants("end user_rejected")
		callee.wants("end user_rejected")
	})
}

// TestWhoIsPartedWhileHeCalls has the users parted between the question whether
// the one may call, and the call.
func TestWhoIsPartedWhileHeCalls(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		asked := 0
		n := w.start(func(c *call.Config) {
			c.MayCall = func(context.Context, int64, int64) error {
				if asked++; asked > 1 {
					return errStranger
				}
				return nil
			}
			c.Parted = func(_ context.Context, a, b int64) (bool, error) { return a == 1 && b == 2, nil }
		})
		caller, callee := w.connect(n, 1), w.connect(n, 2)
		_, _, err := n.Start(w.Context(), caller.Device, call.Offer{To: 2, Type: call.Audio, SDP: sdp})
		if !errors.Is(err, errStranger) {
			w.Errorf("answered %v", err)
		}
		for _, user := range []int64{1, 2} {
			if _, err := w.store.CallOf(w.Context(), user); !errors.Is(err, call.ErrNotFound) {
				w.Errorf("user %d is in a call: %v", user, err)
			}
		}
		callee.wants("offer, end user_hangup")
	})
}

func TestCallsAreForgotten(t *testing.T) {
	inWorld(t, 0, func(w *world) {
		a := w.connect(w.start(func(c *call.Config) { c.Keep, c.Beat = 10*time.Hour, time.Minute }), 1)
		id := a.call(2)
		a.do(id, call.End{})
		time.Sleep(9 * time.Hour)
		w.summary(a.node, 1, id)
		time.Sleep(2 * time.Hour)
		_, err := a.node.Call(w.Context(), 1, id)
		w.refused(err, call.KindNotFound, "no such call")
	})
}
