package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite testdata")

// Alice calls Bob. Each has two devices with a login each; a1 and b1 are those
// that the call is on, and a1' is the client of a1 on a new connection.
var (
	a1      = Device{UserID: 1, Session: "alice's phone", Conn: 11}
	a1again = Device{UserID: 1, Session: "alice's phone", Conn: 19}
	a2      = Device{UserID: 1, Session: "alice's laptop", Conn: 12}
	b1      = Device{UserID: 2, Session: "bob's phone", Conn: 21}
	b1again = Device{UserID: 2, Session: "bob's phone", Conn: 29}
	b2      = Device{UserID: 2, Session: "bob's laptop", Conn: 22}
	eve     = Device{UserID: 3, Session: "eve's", Conn: 31}
	aREST   = Device{UserID: 1, Session: "alice's phone"}
	bREST   = Device{UserID: 2, Session: "bob's phone"}
)

var actors = []struct {
	name string
	Device
}{
	{"a1", a1}, {"a1'", a1again}, {"a2", a2}, {"a by REST", aREST},
	{"b1", b1}, {"b1'", b1again}, {"b2", b2}, {"b by REST", bREST},
}

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	rules = Rules{Ring: 45 * time.Second, Gone: 10 * time.Second}
	sdp   = json.RawMessage(`"v=0"`)
	ice   = json.RawMessage(`{"candidate":"…"}`)
)

var events = []struct {
	name string
	Event
	after time.Duration
}{
	{"offer", Offer{SDP: sdp, Candidates: json.RawMessage(`[1,2]`)}, 0},
	{"answer", Answer{SDP: sdp}, 0},
	{"ice", Candidate{Candidate: ice}, 0},
	{"status ringing", Status{Status: Ringing}, 0},
	{"status answered", Status{Status: Answered}, 0},
	{"status connected", Status{Status: Connected}, 0},
	{"status ended", Status{Status: Ended}, 0},
	{"end", End{}, 0},
	{"end user_busy", End{Reason: UserBusy}, 0},
	{"gone", gone{}, 0},
	{"back", back{}, 0},
	{"expire after 10 s", expire{}, 10 * time.Second},
	{"expire after 45 s", expire{}, 45 * time.Second},
}

// do is a transition that may not fail.
func do(t testing.TB, c Call, by Device, e Event) Call {
	t.Helper()
	next, _, err := transition(c, by, e, start, rules)
	if err != nil {
		t.Fatalf("%T: %v", e, err)
	}
	return next
}

type situation struct {
	name string
	Call
}

// situations are what a call can be in.
func situations(t testing.TB) []situation {
	t.Helper()
	post, _ := begin(aREST, Offer{To: 2, Type: Audio}, start, rules)
	ringing, _ := begin(a1, Offer{To: 2, Type: Audio, SDP: sdp}, start, rules)
	ringing.ID, post.ID = "id", "id"
	ringing = do(t, ringing, a1, Candidate{Candidate: ice})
	answered := do(t, ringing, b1, Answer{SDP: sdp})
	connected := do(t, do(t, answered, a1, Status{Status: Connected}), b1, Status{Status: Connected})
	return []situation{
		{"ringing, made by REST", post},
		{"ringing", ringing},
		{"ringing, caller gone", do(t, ringing, a1, gone{})},
		{"answered", answered},
		{"answered, callee gone", do(t, answered, b1, gone{})},
		{"connected", connected},
		{"connected, caller gone", do(t, connected, a1, gone{})},
		{"ended", do(t, connected, a1, End{})},
	}
}

// TestTransitions holds the state machine to testdata/transitions.txt: every
// situation of a call, every event, everybody who may cause it.
func TestTransitions(t *testing.T) {
	var b bytes.Buffer
	for _, s := range situations(t) {
		fmt.Fprintf(&b, "\n# %s\n", s.name)
		for _, e := range events {
			var outcomes []string
			by := make(map[string][]string)
			if _, _, err := transition(s.Call, eve, e.Event, start, rules); !errors.Is(err, errNoCall) {
				t.Errorf("%s by a stranger: %v", e.name, err)
			}
			for _, a := range actors {
				if notHis(e.Event, a.Device) {
					continue
				}
				if a.Conn == 0 && signals(e.Event) && s.State != Ended {
					if o := outcome(s.Call, a.Device, e.Event, start); o != "invalid, this goes over a WebSocket" {
						t.Errorf("%s %s: %s", e.name, a.name, o)
					}
					continue
				}
				o := outcome(s.Call, a.Device, e.Event, start.Add(e.after))
				if by[o] == nil {
					outcomes = append(outcomes, o)
				}
				by[o] = append(by[o], a.name)
			}
			for _, o := range outcomes {
				fmt.Fprintf(&b, "%s by %s: %s\n", e.name, strings.Join(by[o], ", "), o)
			}
		}
	}
	const file = "testdata/transitions.txt"
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wants, gots := strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")
	for i := range min(len(wants), len(gots)) {
		if wants[i] != gots[i] {
			t.Fatalf("line %d is\n%s\nwant\n%s\n(-update, and read the difference)", i+1, gots[i], wants[i])
		}
	}
	if len(wants) != len(gots) {
		t.Errorf("%d lines, want %d", len(gots), len(wants))
	}
}

// notHis tells whether an event cannot come from a device: time runs out for a
// user, and only a connection comes and goes.
func notHis(e Event, d Device) bool {
	switch e.(type) {
	case expire:
		return d.Conn != 0
	case gone, back:
		return d.Conn == 0
	}
	return false
}

// outcome tells in words what a transition did.
func outcome(c Call, by Device, e Event, now time.Time) string {
	after, out, err := transition(c, by, e, now, rules)
	if failure, ok := errors.AsType[*Error](err); ok {
		return fmt.Sprintf("%s, %s", failure.Kind, failure.Why)
	}
	var parts []string
	if after.State != c.State {
		parts = append(parts, "is "+string(after.State))
	}
	for _, l := range [][2]*Leg{{&c.Caller, &after.Caller}, {&c.Callee, &after.Callee}} {
		was, is := l[0], l[1]
		if was.Conn != is.Conn {
			parts = append(parts, fmt.Sprintf("user %d on %s", is.UserID, device(is.Conn, by)))
		}
		if was.Up != is.Up {
			parts = append(parts, fmt.Sprintf("user %d up %t", is.UserID, is.Up))
		}
	}
	if n := len(after.Signals.Waiting) - len(c.Signals.Waiting); n != 0 {
		parts = append(parts, fmt.Sprintf("%+d waiting", n))
	}
	for _, n := range out {
		parts = append(parts, words(n, by))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, "; ")
}

func words(n Notice, by Device) string {
	to := fmt.Sprintf("every device of user %d", n.To)
	if n.Only != 0 {
		to = device(n.Only, by)
	} else if n.Except != 0 {
		to += " but " + device(n.Except, by)
	}
	text := strings.TrimPrefix(n.Type, "call.")
	for _, word := range []string{string(n.Frame.Status), string(n.Frame.Reason)} {
		if word != "" {
			text += " " + word
		}
	}
	return fmt.Sprintf("%s from %d to %s", text, n.Frame.From, to)
}

// device names a connection; by is the one that is spoken of.
func device(conn uint64, by Device) string {
	for _, a := range actors {
		switch {
		case conn == 0:
			return "no device"
		case conn == by.Conn:
			return "itself"
		case conn == a.Conn:
			return a.name
		}
	}
	return "a stranger"
}

// TestAnyOrder has everybody do anything, at random, and wants what always holds.
func TestAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 26)) // the same in every run
	rank := map[State]int{Ringing: 0, Answered: 1, Connected: 2, Ended: 3}
	reached := make(map[State]int)
	for range 300 {
		c, _ := begin(a1, Offer{To: 2, Type: Video, SDP: sdp}, start, rules)
		now := start
		for range 50 {
			a, e := actors[random.IntN(len(actors))], events[random.IntN(len(events))]
			if mayEnd(e.Event) && random.IntN(20) > 0 {
				continue // or hardly any call comes far
			}
			now = now.Add(time.Duration(random.IntN(3000)) * time.Millisecond)
			before := c
			frozen, _ := json.Marshal(c)
			after, out, err := transition(c, a.Device, e.Event, now, rules)
			if same, _ := json.Marshal(before); !bytes.Equal(frozen, same) {
				t.Fatalf("%s by %s changed what it was given", e.name, a.name)
			}
			step := fmt.Sprintf("%s by %s on a call that is %s", e.name, a.name, before.State)
			if err != nil && (len(out) > 0 || !reflect.DeepEqual(after, before)) {
				t.Fatalf("%s: refused, and done", step)
			}
			if rank[after.State] < rank[before.State] || before.State == Ended && err == nil {
				t.Fatalf("%s: is %s", step, after.State)
			}
			if (after.State == Ended) != (after.Reason != "") || after.State == Ended && (after.Caller.Up || after.Callee.Up || after.Signals.Waiting != nil) {
				t.Fatalf("%s: %+v", step, after)
			}
			for _, n := range out {
				if n.To != 1 && n.To != 2 {
					t.Fatalf("%s: %+v is told", step, n)
				}
			}
			if n := len(after.Signals.Waiting); n > 2*maxWaiting {
				t.Fatalf("%s: %d frames wait", step, n)
			}
			c = after
		}
		reached[c.State]++
	}
	if len(reached) < 4 {
		t.Errorf("only %v was reached", reached)
	}
}

func mayEnd(e Event) bool {
	switch e := e.(type) {
	case End, expire:
		return true
	case Status:
		return e.Status == Ended
	}
	return false
}

// TestLateCandidates wants every candidate delivered once, in order, to the
// device that answered.
func TestLateCandidates(t *testing.T) {
	c, _ := begin(a1, Offer{To: 2, Type: Video, SDP: sdp}, start, rules)
	candidate := func(text string) Candidate { return Candidate{Candidate: json.RawMessage(`"` + text + `"`)} }
	for _, step := range []struct {
		by Device
		e  Event
	}{
		{a1, candidate("a")}, {b2, candidate("loser's")}, {b1, candidate("early")}, {a1, candidate("b")}, {a1, gone{}},
	} {
		c = do(t, c, step.by, step.e)
	}
	got := func(by Device, e Event) string {
		t.Helper()
		var all []string
		var out []Notice
		var err error
		if c, out, err = transition(c, by, e, start, rules); err != nil {
			t.Fatal(err)
		}
		for _, n := range out {
			all = append(all, fmt.Sprintf("%s>%s%s", strings.TrimPrefix(n.Type, "call."), device(n.Only, Device{}), n.Frame.Candidate))
		}
		return strings.Join(all, " ")
	}
	if got, want := got(b1, Answer{SDP: sdp}), `status>b1 status>no device ice>b1"a" ice>b1"b"`; got != want {
		t.Errorf("to the device that answers: %s, want %s", got, want)
	}
	if got, want := got(a1again, back{}), `answer>a1' ice>a1'"early"`; got != want {
		t.Errorf("to the caller who comes back: %s, want %s", got, want)
	}
	if got, want := got(a1again, candidate("c")), `ice>b1"c"`; got != want {
		t.Errorf("after the answer: %s, want %s", got, want)
	}
	if n := len(c.Signals.Waiting); n != 0 {
		t.Errorf("%d frames wait for ever", n)
	}
	if c.Caller.Candidates != 3 || c.Callee.Candidates != 2 {
		t.Errorf("%d and %d candidates", c.Caller.Candidates, c.Callee.Candidates)
	}
}

// A reason is taken as it was given; without one there is the usual one.
func TestReasons(t *testing.T) {
	ringing := situations(t)[1].Call
	answered := do(t, ringing, b1, Answer{SDP: sdp})
	for _, c := range []struct {
		Call
		by          Device
		given, want Reason
	}{
		{ringing, a1, "", UserHangup}, {ringing, b1, "", UserRejected}, {ringing, b1, UserHangup, UserHangup},
		{ringing, a1, Timeout, Timeout}, {ringing, a1, UserRejected, UserRejected},
		{ringing, b1, UserBusy, UserBusy}, {answered, b1, "", UserHangup}, {answered, b1, UserRejected, UserRejected},
		{answered, a1, NetworkError, NetworkError}, {answered, a1, ServerError, ServerError},
	} {
		if got := do(t, c.Call, c.by, End{Reason: c.given}).Reason; got != c.want {
			t.Errorf("%s, user %d ends it because of %q: %s, want %s", c.State, c.by.UserID, c.given, got, c.want)
		}
	}
}

func TestWhatWaitsIsBounded(t *testing.T) {
	for _, size := range []int{10, maxCandidate} {
		c, _ := begin(a1, Offer{To: 2, Type: Video, SDP: sdp}, start, rules)
		e := Candidate{Candidate: json.RawMessage(`"` + strings.Repeat("x", size-2) + `"`)}
		if err := e.check(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for {
			next, _, err := transition(c, a1, e, start, rules)
			if err != nil {
				if failure, ok := errors.AsType[*Error](err); !ok || failure.Kind != KindTooLarge {
					t.Fatal(err)
				}
				break
			}
			c = next
			n++
		}
		if want := min(maxWaiting, maxWaitingBytes/size); n != want {
			t.Errorf("%d candidates of %d bytes wait, want %d", n, size, want)
		}
		do(t, c, b1, Answer{SDP: sdp}) // the call goes on
	}
}

// TestAnswerWhileMuchWaits has the caller gone, and one of the callee's devices
// send all that may wait for him: another one can answer all the same.
func TestAnswerWhileMuchWaits(t *testing.T) {
	c := situations(t)[2].Call // ringing, caller gone
	for range maxWaiting {
		c = do(t, c, b2, Candidate{Candidate: ice})
	}
	c = do(t, c, b1, Answer{SDP: sdp})
	if w := c.Signals.Waiting; len(w) != 1 || w[0].Type != TypeAnswer {
		t.Errorf("%d frames wait, want the answer alone", len(w))
	}
}

// TestMediaLostWhileMuchWaits wants a user's media no longer counted as up, though
// his peer is gone and has all waiting that he may have.
func TestMediaLostWhileMuchWaits(t *testing.T) {
	c := situations(t)[6].Call // connected, caller gone
	for range maxWaiting {
		c = do(t, c, b1, Candidate{Candidate: ice})
	}
	for range 3 {
		c = do(t, c, b1, Status{Status: Connected})
		c = do(t, c, b1, Status{Status: Answered})
	}
	if n := len(c.Signals.Waiting); c.Callee.Up || n != maxWaiting+1 {
		t.Errorf("up is %t, and %d frames wait", c.Callee.Up, n)
	}
	_, out, err := transition(c, a1again, back{}, start, rules)
	if last := out[len(out)-1].Frame; err != nil || last.Status != Answered {
		t.Errorf("who comes back is told %+v last, %v", last, err)
	}
}

func TestWhatClientsSendIsChecked(t *testing.T) {
	long := json.RawMessage(`"` + strings.Repeat("x", maxDescription) + `"`)
	lists := func(n int) json.RawMessage {
		return json.RawMessage(strings.Repeat("[", n) + `"\"[{"` + strings.Repeat("]", n))
	}
	object := func(v json.RawMessage) json.RawMessage { return append(append(json.RawMessage(`{"sdp":`), v...), '}') }
	for _, c := range []struct {
		e    Event
		want Kind
	}{
		{Offer{SDP: json.RawMessage(`{"type":"offer","sdp":"v=0"}`)}, ""},
		{Offer{SDP: sdp, Candidates: json.RawMessage(`null`)}, ""},
		{Offer{}, KindInvalid}, {Offer{SDP: json.RawMessage(`null`)}, KindInvalid},
		{Offer{SDP: json.RawMessage(`7`)}, KindInvalid}, {Offer{SDP: long}, KindTooLarge},
		{Offer{SDP: sdp, Candidates: json.RawMessage(`{}`)}, KindInvalid},
		{Answer{SDP: sdp, Candidates: long}, KindTooLarge}, {Answer{SDP: json.RawMessage(`[]`)}, KindInvalid},
		{Candidate{}, KindInvalid}, {Candidate{Candidate: json.RawMessage(`true`)}, KindInvalid},
		{Candidate{Candidate: json.RawMessage(`null`)}, ""}, {Candidate{Candidate: long}, KindTooLarge},
		{Offer{SDP: object(lists(maxDepth - 1)), Candidates: lists(maxDepth)}, ""},
		{Offer{SDP: object(lists(maxDepth))}, KindInvalid}, {Answer{SDP: sdp, Candidates: lists(maxDepth + 1)}, KindInvalid},
		{Candidate{Candidate: object(lists(maxDepth))}, KindInvalid},
		{Offer{SDP: json.RawMessage(`"` + strings.Repeat("[", 2*maxDepth) + `"`)}, ""},
		{Status{}, KindInvalid}, {Status{Status: "busy"}, KindInvalid}, {End{}, ""}, {End{Reason: UserBusy}, ""}, {End{Reason: "because"}, KindInvalid},
	} {
		var got Kind
		if failure, ok := errors.AsType[*Error](c.e.check()); ok {
			got = failure.Kind
		}
		if got != c.want {
			t.Errorf("%.80s is %q, want %q", fmt.Sprintf("%T %+v", c.e, c.e), got, c.want)
		}
	}
}

func TestSummary(t *testing.T) {
	c := situations(t)[7].Call
	c.ConnectedAt, c.EndedAt = start.Add(1500*time.Millisecond), start.Add(4*time.Second)
	got, err := json.MarshalIndent(c.Summary(start.Add(time.Hour)), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/summary.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(got)+"\n" != string(want) {
		t.Errorf("%s, want %s (%v)", got, want, err)
	}
}

func TestMeet(t *testing.T) {
	pair := func(caller, callee int64, s State) Call {
		return Call{State: s, Caller: Leg{Device: Device{UserID: caller}}, Callee: Leg{Device: Device{UserID: callee}}}
	}
	mine := pair(1, 2, Ringing)
	for _, c := range []struct {
		others []Call
		want   encounter
	}{
		{[]Call{pair(1, 2, Ringing), pair(1, 2, Ringing)}, same},
		{[]Call{pair(2, 1, Ringing), pair(2, 1, Ringing)}, glare},
		{[]Call{pair(1, 2, Answered)}, inCall}, {[]Call{pair(2, 1, Connected)}, inCall},
		{[]Call{pair(1, 3, Ringing)}, inCall}, {[]Call{pair(3, 1, Connected), pair(2, 4, Ringing)}, inCall},
		{[]Call{pair(2, 3, Ringing)}, busy}, {[]Call{pair(3, 2, Connected)}, busy},
	} {
		if got, _ := meet(mine, c.others); got != c.want {
			t.Errorf("%+v: %d, want %d", c.others, got, c.want)
		}
	}
}
