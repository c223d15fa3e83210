package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/call"
)

// call returns a ringing call with all fields set.
func (w *world) call(id string, caller, callee int64) call.Call {
	return call.Call{
		ID: id, Type: call.Video, State: call.Ringing, CreatedAt: w.now,
		Caller: call.Leg{Device: call.Device{UserID: caller, Session: "session \x00 ", Conn: -uint64(caller)},
			Joined: true, Until: w.now.Add(10 * time.Second), Candidates: 3},
		Callee: call.Leg{Device: call.Device{UserID: callee}, Until: w.now.Add(45 * time.Second)},
		Signals: call.Signals{
			Offer: &call.Description{SDP: json.RawMessage(`"v=0\r\n\u0000 <a&b> 𠮷"`), Candidates: json.RawMessage(`[{"a":1}]`)},
			Waiting: []call.Waiting{{To: callee, From: 1<<64 - 1, Type: call.TypeICE,
				Frame: call.Frame{CallID: id, Candidate: json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`)}}},
		},
	}
}

// kept returns a call as the store returns it.
func kept(c call.Call) call.Call {
	for _, t := range []*time.Time{&c.CreatedAt, &c.AnsweredAt, &c.ConnectedAt, &c.EndedAt, &c.Caller.Until, &c.Callee.Until} {
		if !t.IsZero() {
			*t = t.UTC().Truncate(time.Microsecond)
		}
	}
	return c
}

// create stores a call. Both users must be free.
func (w *world) create(c call.Call) call.Call {
	w.Helper()
	others, err := w.CreateCall(w.ctx(), c)
	w.ok(err)
	equal(w, "other calls of the two users", others, nil)
	return kept(c)
}

func (w *world) read(id string) call.Call {
	w.Helper()
	return must[call.Call](w)(w.Call(w.ctx(), id))
}

func (w *world) callOf(user int64) string {
	w.Helper()
	c, err := w.CallOf(w.ctx(), user)
	if errors.Is(err, call.ErrNotFound) {
		return ""
	}
	w.ok(err)
	return c.ID
}

func (w *world) end(id string, at time.Time) call.Call {
	w.Helper()
	return must[call.Call](w)(w.ChangeCall(w.ctx(), id, func(c *call.Call) error {
		c.State, c.Reason, c.EndedBy, c.EndedAt, c.Signals = call.Ended, call.UserHangup, c.Caller.UserID, at, call.Signals{}
		return nil
	}))
}

func testCalls(w *world) {
	u := w.users(2)
	c := w.create(w.call("A", u[0], u[1]))
	equal(w, "stored", w.read("A"), c)
	equal(w, "call of the caller", w.callOf(u[0]), "A")
	equal(w, "call of the callee", w.callOf(u[1]), "A")

	var seen call.Call
	answer := func(c *call.Call) error {
		seen = *c
		c.State, c.AnsweredAt = call.Answered, w.now.Add(time.Second)
		c.Callee.Session, c.Callee.Conn, c.Callee.Joined, c.Callee.Up = "s", 7, true, true
		c.Callee.Candidates, c.Caller.Candidates = 5, 4
		c.Caller.Conn = 0
		c.Signals = call.Signals{}
		return nil
	}
	got := must[call.Call](w)(w.ChangeCall(w.ctx(), "A", answer))
	equal(w, "call that change gets", seen, c)
	w.ok(answer(&c))
	equal(w, "result of the change", kept(got), kept(c))
	equal(w, "stored", w.read("A"), kept(c))

	refusal := errors.New("refused")
	_, err := w.ChangeCall(w.ctx(), "A", func(c *call.Call) error { c.State = call.Ended; return refusal })
	w.is(err, refusal)
	equal(w, "after a refused change", w.read("A"), kept(c))

	_, err = w.Call(w.ctx(), "a") // case matters
	w.is(err, call.ErrNotFound)
	_, err = w.Call(w.ctx(), "A ")
	w.is(err, call.ErrNotFound)
	_, err = w.ChangeCall(w.ctx(), strings.Repeat("A", 1000), func(*call.Call) error { return nil })
	w.is(err, call.ErrNotFound)
	_, err = w.CreateCall(w.ctx(), w.call("B", w.user(), 1<<40))
	w.is(err, call.ErrNotFound)
}

func testEndedCalls(w *world) {
	u := w.users(2)
	w.create(w.call("A", u[0], u[1]))
	c := w.end("A", w.now.Add(time.Minute))
	equal(w, "call of the caller", w.callOf(u[0]), "")
	equal(w, "call of the callee", w.callOf(u[1]), "")
	c.Caller = call.Leg{Device: call.Device{UserID: u[0]}, Candidates: 3}
	c.Callee = call.Leg{Device: call.Device{UserID: u[1]}}
	equal(w, "ended call, without devices", w.read("A"), kept(c))
	w.create(w.call("B", u[1], u[0]))
	w.end("A", w.now)
	equal(w, "current call, after the first one was ended again", w.callOf(u[0]), "B")

	refused := w.call("C", u[0], u[1])
	refused.State, refused.EndedAt = call.Ended, w.now
	w.create(refused)
	equal(w, "current call, after one was created as ended", w.callOf(u[0]), "B")
	equal(w, "state of a call created as ended", w.read("C").State, call.Ended)
}

func testCallsKeepUsersBusy(w *world) {
	u := w.users(4)
	w.create(w.call("A", u[0], u[1]))
	w.create(w.call("B", u[2], u[3]))
	for _, c := range []struct {
		caller, callee int64
		others         []string
	}{
		{u[0], u[1], []string{"A", "A"}}, {u[1], u[0], []string{"A", "A"}},
		{u[0], u[3], []string{"A", "B"}}, {u[3], u[1], []string{"B", "A"}},
		{w.user(), u[1], []string{"A"}}, {u[2], w.user(), []string{"B"}},
	} {
		others, err := w.CreateCall(w.ctx(), w.call("X", c.caller, c.callee))
		w.is(err, call.ErrBusy)
		var ids []string
		for _, o := range others {
			ids = append(ids, o.ID)
		}
		equal(w, "other calls of the two users", ids, c.others)
		_, err = w.Call(w.ctx(), "X")
		w.is(err, call.ErrNotFound)
	}
}

// testCallsUnderConcurrency lets all users call each other: nobody is in two calls.
func testCallsUnderConcurrency(w *world) {
	u := w.users(6)
	for round := range 5 {
		var won sync.Map
		var wg sync.WaitGroup
		for i, caller := range u {
			for k, callee := range u {
				if i == k {
					continue
				}
				wg.Go(func() {
					id := fmt.Sprint(round, "-", i, "-", k)
					_, err := w.CreateCall(w.ctx(), w.call(id, caller, callee))
					switch {
					case err == nil:
						won.Store(id, true)
					case !errors.Is(err, call.ErrBusy):
						w.Error(err)
					}
				})
			}
		}
		wg.Wait()
		in := make(map[int64]bool)
		won.Range(func(id, _ any) bool {
			c := w.read(id.(string))
			for _, user := range []int64{c.Caller.UserID, c.Callee.UserID} {
				if in[user] {
					w.Errorf("user %d is in two calls", user)
				}
				in[user] = true
				equal(w, "call of", w.callOf(user), c.ID)
			}
			w.end(c.ID, w.now)
			return true
		})
		if len(in) == 0 {
			w.Error("nobody is in a call")
		}
	}
}

// testCallChangesUnderConcurrency: no change is lost, and the call ends once.
func testCallChangesUnderConcurrency(w *world) {
	u := w.users(2)
	w.create(w.call("A", u[0], u[1]))
	const each = 8
	var ends atomic.Int64
	ended := errors.New("ended")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range each {
				_, err := w.ChangeCall(w.ctx(), "A", func(c *call.Call) error {
					c.Caller.Candidates++
					c.Signals.Waiting = nil
					return nil
				})
				if err != nil {
					w.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(w, "changes stored", w.read("A").Caller.Candidates, 3+4*each)
	for range 4 {
		wg.Go(func() {
			_, err := w.ChangeCall(w.ctx(), "A", func(c *call.Call) error {
				if c.State == call.Ended {
					return ended
				}
				c.State, c.EndedAt = call.Ended, w.now
				return nil
			})
			switch {
			case err == nil:
				ends.Add(1)
			case !errors.Is(err, ended):
				w.Error(err)
			}
		})
	}
	wg.Wait()
	equal(w, "ends", ends.Load(), 1)
}

func testLegs(w *world) {
	u := w.users(4)
	a, b := w.create(w.call("A", u[0], u[1])), w.call("B", u[2], u[3])
	b.Callee.Conn, b.Callee.Until, b.Caller.Until = 9, w.now.Add(20*time.Second), w.now.Add(20*time.Second)
	b = w.create(b)
	late := func(after time.Duration, limit int) []string {
		w.Helper()
		return must[[]string](w)(w.LateCalls(w.ctx(), w.now.Add(after), limit))
	}
	equal(w, "late calls after 9s", late(9*time.Second, 10), nil)
	equal(w, "late calls after 10s", late(10*time.Second, 10), []string{"A"})
	equal(w, "late calls after 30s", late(30*time.Second, 10), []string{"A", "B"})
	equal(w, "late calls, limited to 1", late(30*time.Second, 1), []string{"A"})

	unjoined := must[[]string](w)(w.UnjoinedCalls(w.ctx(), []int64{u[3], u[1], u[0], 1 << 40}))
	slices.Sort(unjoined)
	equal(w, "unjoined calls of users without a device in them", unjoined, []string{"A", "B"})
	equal(w, "unjoined calls of no user", must[[]string](w)(w.UnjoinedCalls(w.ctx(), nil)), nil)
	equal(w, "unjoined calls of users who have joined", must[[]string](w)(w.UnjoinedCalls(w.ctx(), []int64{u[0], u[2]})), nil)

	asked := []uint64{a.Caller.Conn, 9, 4711, 1<<64 - 4711}
	found := must[[]uint64](w)(w.RenewLegs(w.ctx(), asked, w.now.Add(40*time.Second)))
	slices.Sort(found)
	equal(w, "connections in calls", found, []uint64{9, a.Caller.Conn})
	equal(w, "late calls after RenewLegs", late(30*time.Second, 10), []string{"B"}) // its caller is connected to another node
	equal(w, "new end of the renewed leg", w.read("A").Caller.Until, kept(call.Call{CreatedAt: w.now.Add(40 * time.Second)}).CreatedAt)
	equal(w, "the other leg", w.read("A").Callee, a.Callee)
	equal(w, "RenewLegs without connections", must[[]uint64](w)(w.RenewLegs(w.ctx(), nil, w.now)), nil)

	many := make([]uint64, 1000)
	for i := range many {
		many[i] = uint64(1_000_000 + i)
	}
	many[999] = b.Caller.Conn
	equal(w, "RenewLegs of 1000 connections", must[[]uint64](w)(w.RenewLegs(w.ctx(), many, w.now.Add(time.Hour))), []uint64{b.Caller.Conn})
	w.end("A", w.now)
	w.end("B", w.now)
	equal(w, "after the calls ended", late(24*time.Hour, 10), nil)
	equal(w, "after the calls ended", must[[]uint64](w)(w.RenewLegs(w.ctx(), asked, w.now)), nil)
}

func testPruneCalls(w *world) {
	u := w.users(2)
	for i := range 5 {
		id := fmt.Sprint(i)
		w.create(w.call(id, u[0], u[1]))
		w.end(id, w.now.Add(time.Duration(i)*time.Hour))
	}
	w.create(w.call("live", u[0], u[1]))
	prune := func(after time.Duration, limit int) int {
		w.Helper()
		return must[int](w)(w.PruneCalls(w.ctx(), w.now.Add(after), limit))
	}
	equal(w, "pruned, when none is old enough", prune(0, 10), 0)
	equal(w, "pruned, limited to 2", prune(5*time.Hour, 2), 2)
	_, err := w.Call(w.ctx(), "1")
	w.is(err, call.ErrNotFound)
	equal(w, "the oldest call that was not pruned", w.read("2").ID, "2")
	equal(w, "pruned, without a limit", prune(1000*time.Hour, 300), 3)
	equal(w, "state of a call that goes on", w.read("live").State, call.Ringing)
}
