package call

import (
	"slices"
	"time"
)

// Rules are the time limits of a call.
type Rules struct {
	Ring time.Duration // how long it may ring
	Gone time.Duration // how long a user in it may be disconnected
}

// transition is the state machine: it returns the call after event e from a device at now, and the notices to send.
// It changes nothing that c refers to. On an error, which is an [*Error] for the sender, the call is unchanged.
func transition(c Call, by Device, e Event, now time.Time, rules Rules) (Call, []Notice, error) {
	next := c
	m := &move{c: &next, by: by, now: now, rules: rules}
	if m.me, m.peer = next.legs(by.UserID); m.me == nil {
		return c, nil, errNoCall
	}
	if c.State == Ended {
		return c, nil, errEnded(c.Reason)
	}
	if by.Conn == 0 && signals(e) {
		return c, nil, errorf(KindInvalid, "this goes over a WebSocket")
	}
	if err := e.apply(m); err != nil {
		return c, nil, err
	}
	return next, m.out, nil
}

// signals reports whether e must come from a connection.
func signals(e Event) bool {
	switch e.(type) {
	case Offer, Answer, Candidate, Status:
		return true
	}
	return false
}

// begin returns a new call for an offer, and the notices to send.
func begin(by Device, o Offer, now time.Time, rules Rules) (Call, []Notice) {
	c := Call{
		ID: newID(), Type: o.Type, State: Ringing, CreatedAt: now,
		Caller: Leg{Device: Device{UserID: by.UserID}, Until: now.Add(rules.Ring)},
		Callee: Leg{Device: Device{UserID: o.To}, Until: now.Add(rules.Ring)},
	}
	m := &move{c: &c, by: by, me: &c.Caller, peer: &c.Callee, now: now, rules: rules}
	if o.SDP != nil {
		m.join()
		m.me.Candidates = count(o.Candidates)
		c.Signals.Offer = &Description{SDP: o.SDP, Candidates: o.Candidates}
	}
	m.ack()
	m.tell(c.ringing(0))
	return c, m.out
}

// refuse ends a new call because the callee is in another.
func refuse(c Call, by Device, now time.Time) (Call, []Notice) {
	c.State, c.Reason, c.EndedAt, c.Signals = Ended, UserBusy, now, Signals{}
	if by.Conn == 0 {
		return c, nil
	}
	return c, []Notice{{To: by.UserID, Only: by.Conn, Type: TypeEnd,
		Frame: Frame{CallID: c.ID, From: c.Callee.UserID, To: by.UserID, Reason: UserBusy}}}
}

// An encounter says how a new call collides with one that its users are in.
type encounter int

const (
	same   encounter = iota // the caller has called the same user before: that call goes on
	glare                   // both call each other: the first call is used
	inCall                  // the caller is in another call
	busy                    // the callee is in another call
)

// meet returns how c collides with the calls that its users are in.
func meet(c Call, others []Call) (encounter, Call) {
	for _, o := range others {
		if me, _ := o.legs(c.Caller.UserID); me == nil {
			continue
		}
		_, together := o.legs(c.Callee.UserID)
		switch {
		case together == nil || o.State != Ringing:
			return inCall, o
		case o.Caller.UserID == c.Caller.UserID:
			return same, o
		}
		return glare, o
	}
	return busy, others[0]
}

// A move is one transition in progress.
type move struct {
	c        *Call
	by       Device
	me, peer *Leg // me is the leg that causes it
	now      time.Time
	rules    Rules
	out      []Notice
}

func (m *move) tell(n Notice) { m.out = append(m.out, n) }

// frame sets what all frames from me to my peer have in common.
func (m *move) frame(f Frame) Frame {
	f.CallID, f.From, f.To = m.c.ID, m.me.UserID, m.peer.UserID
	return f
}

// ack sends the current state to the device that caused the transition.
func (m *move) ack() {
	if m.by.Conn != 0 {
		f := Frame{Status: m.c.State, Reason: m.c.Reason}
		m.tell(Notice{To: m.me.UserID, Only: m.by.Conn, Type: TypeStatus, Frame: m.frame(f)})
	}
}

// ringing returns the notice for the callee's devices, or only one of them. If there is no offer yet, the offer
// follows later.
func (c *Call) ringing(only uint64) Notice {
	n := Notice{To: c.Callee.UserID, Only: only, Type: TypeStatus,
		Frame: Frame{CallID: c.ID, From: c.Caller.UserID, To: c.Callee.UserID, Type: c.Type}}
	if o := c.Signals.Offer; o != nil {
		n.Type, n.Frame.SDP, n.Frame.Candidates = TypeOffer, o.SDP, o.Candidates
	} else {
		n.Frame.Status = Ringing
	}
	return n
}

// elsewhere returns the notice that another device of the user has the call.
func (c *Call) elsewhere(leg *Leg, only uint64) Notice {
	_, peer := c.legs(leg.UserID)
	return Notice{To: leg.UserID, Only: only, Type: TypeStatus,
		Frame: Frame{CallID: c.ID, From: leg.UserID, To: peer.UserID, Status: Answered}}
}

// here makes sure that the event comes from the device that is in the call, or from one that may replace it.
func (m *move) here() error {
	switch {
	case m.by.Conn == m.me.Conn:
		return nil
	case m.me.Conn != 0 || m.me.Joined && m.me.Session != m.by.Session:
		return errOther
	}
	m.join()
	return nil
}

// retake puts the device into the call: it is in it already, or it is the same client on a new connection.
func (m *move) retake() error {
	switch {
	case m.by.Conn == m.me.Conn:
		return nil
	case m.by.Session != m.me.Session:
		return errOther
	}
	m.join()
	return nil
}

// join puts the device into the call, in place of the old one, and sends it the waiting frames.
func (m *move) join() {
	m.me.Device, m.me.Joined, m.me.Until = m.by, true, m.now.Add(m.rules.Gone)
	m.send(func(w Waiting) bool { return w.To == m.me.UserID && w.From == 0 }, m.me)
}

// send sends the waiting frames that are meant for a leg.
func (m *move) send(meant func(Waiting) bool, leg *Leg) {
	var rest []Waiting
	for _, w := range m.c.Signals.Waiting {
		if meant(w) {
			m.tell(Notice{To: w.To, Only: leg.Conn, Type: w.Type, Frame: w.Frame})
		} else {
			rest = append(rest, w)
		}
	}
	m.c.Signals.Waiting = rest
}

// takeEarly removes and returns candidates that overtook the answer. It drops those from devices that did not answer,
// which makes room.
func (m *move) takeEarly() (early []Waiting) {
	var rest []Waiting
	for _, w := range m.c.Signals.Waiting {
		switch w.From {
		case 0:
			rest = append(rest, w)
		case m.by.Conn:
			early = append(early, w)
		}
	}
	m.c.Signals.Waiting = rest
	return early
}

// renegotiate passes on the offer of a device that is in the call, or joins it now.
func (m *move) renegotiate(o Offer) error {
	if old := m.me.Conn; old != m.by.Conn {
		if old != 0 {
			m.tell(m.c.elsewhere(m.me, old))
		}
		m.me.Up = false
		m.join()
	}
	m.me.Candidates += count(o.Candidates)
	return m.pass(TypeOffer, Frame{Type: m.c.Type, SDP: o.SDP, Candidates: o.Candidates})
}

// pass sends the peer a frame, or keeps it until the peer is connected.
func (m *move) pass(typ string, f Frame) error {
	f = m.frame(f)
	if m.peer.Conn == 0 {
		return m.wait(Waiting{To: m.peer.UserID, Type: typ, Frame: f})
	}
	m.tell(Notice{To: m.peer.UserID, Only: m.peer.Conn, Type: typ, Frame: f})
	return nil
}

// Limits of frames waiting for one user.
const (
	maxWaiting      = 64
	maxWaitingBytes = 256 << 10
)

// wait keeps a frame for later. Of status frames it keeps only the last, regardless of the limits, because it says
// whether the media is up.
func (m *move) wait(w Waiting) error {
	if w.Type == TypeStatus {
		earlier := func(o Waiting) bool { return o.To == w.To && o.Type == TypeStatus }
		m.c.Signals.Waiting = append(slices.DeleteFunc(slices.Clone(m.c.Signals.Waiting), earlier), w)
		return nil
	}
	n, bytes := 1, w.Frame.size()
	for _, o := range m.c.Signals.Waiting {
		if o.To == w.To {
			n++
			bytes += o.Frame.size()
		}
	}
	if n > maxWaiting || bytes > maxWaitingBytes {
		return errorf(KindTooLarge, "too much waits for the other side: at most %d frames and %d bytes", maxWaiting, maxWaitingBytes)
	}
	m.c.Signals.Waiting = append(slices.Clip(m.c.Signals.Waiting), w)
	return nil
}

// end ends the call and notifies every device concerned, except the one that caused it.
func (m *move) end(r Reason, by int64) {
	c := m.c
	c.State, c.Reason, c.EndedBy, c.EndedAt, c.Signals = Ended, r, by, m.now, Signals{}
	for _, leg := range []*Leg{&c.Caller, &c.Callee} {
		leg.Up = false
		if leg.Conn != 0 && leg.Conn == m.by.Conn {
			continue
		}
		n := c.over(leg, leg.Conn)
		n.Except = m.by.Conn
		m.tell(n)
	}
}

// over returns the notice for a user, or only one device, that the call has ended.
func (c *Call) over(leg *Leg, only uint64) Notice {
	from := c.EndedBy
	if from == 0 {
		_, peer := c.legs(leg.UserID)
		from = peer.UserID
	}
	return Notice{To: leg.UserID, Only: only, Type: TypeEnd, Frame: Frame{
		CallID: c.ID, From: from, To: leg.UserID, Reason: c.Reason, Duration: c.talk(c.EndedAt).Seconds(),
	}}
}
