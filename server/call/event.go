package call

import (
	"cmp"
	"encoding/json"
	"slices"
)

// An Event is something that happens to a call: one of the structs below. They are payloads of clients' frames, or
// something that the server notices.
type Event interface {
	// check validates the event itself.
	check() error
	// apply changes the call of m according to the event and the call's state.
	apply(m *move) error
}

// Limits of what clients may send. The server does not read the content.
const (
	maxDescription = 64 << 10 // bytes of sdp, and of ice_candidates
	maxCandidate   = 4 << 10  // bytes
	maxDepth       = 32       // of JSON; stored values are nested deeper, and must still be readable
)

// An Offer begins a call. With CallID it belongs to an existing call: it is the first offer of a call made without
// one, or it renegotiates. After the answer it moves the call to the device that sends it.
type Offer struct {
	CallID     string          `json:"call_id"`
	To         int64           `json:"to_user"`
	Type       Type            `json:"call_type"`
	SDP        json.RawMessage `json:"sdp"`
	Candidates json.RawMessage `json:"ice_candidates"`
}

func (o Offer) check() error { return checkDescription(o.SDP, o.Candidates) }

func (o Offer) apply(m *move) error {
	switch {
	case m.c.State != Ringing:
		return m.renegotiate(o)
	case m.me == &m.c.Callee:
		return errorf(KindConflict, "you are being called: answer, or end the call")
	}
	if err := m.here(); err != nil {
		return err
	}
	m.me.Candidates += count(o.Candidates)
	// Signals for an earlier offer are useless with this one.
	m.c.Signals = Signals{Offer: &Description{SDP: o.SDP, Candidates: o.Candidates}}
	m.ack()
	m.tell(m.c.ringing(0))
	return nil
}

// An Answer accepts a call, or answers an Offer within one.
type Answer struct {
	CallID     string          `json:"call_id"`
	SDP        json.RawMessage `json:"sdp"`
	Candidates json.RawMessage `json:"ice_candidates"`
}

func (a Answer) check() error { return checkDescription(a.SDP, a.Candidates) }

func (a Answer) apply(m *move) error {
	answer := Frame{SDP: a.SDP, Candidates: a.Candidates}
	if m.c.State != Ringing {
		if m.by.Conn != m.me.Conn {
			return errorf(KindConflict, "the call was answered on another device of yours")
		}
		m.me.Candidates += count(a.Candidates)
		return m.pass(TypeAnswer, answer)
	}
	switch {
	case m.me == &m.c.Caller:
		return errorf(KindConflict, "you are the caller: wait for the answer")
	case m.c.Signals.Offer == nil:
		return errorf(KindConflict, "there is no offer to answer yet: wait for call.offer")
	}
	m.c.State, m.c.AnsweredAt, m.c.Signals.Offer = Answered, m.now, nil
	m.me.Candidates += count(a.Candidates)
	m.ack()
	others := m.c.elsewhere(m.me, 0)
	others.Except = m.by.Conn
	m.tell(others)
	early := m.takeEarly()
	if err := m.pass(TypeAnswer, answer); err != nil {
		return err
	}
	m.join()
	for _, w := range early {
		if err := m.pass(w.Type, w.Frame); err != nil {
			return err
		}
	}
	return nil
}

// A Candidate is an ICE candidate for the peer.
type Candidate struct {
	CallID    string          `json:"call_id"`
	Candidate json.RawMessage `json:"ice_candidate"`
}

func (i Candidate) check() error {
	switch {
	case len(i.Candidate) == 0 || !slices.Contains([]byte(`"{n`), i.Candidate[0]):
		return errorf(KindInvalid, "ice_candidate is required: an object or a string, or null after the last")
	case len(i.Candidate) > maxCandidate:
		return errorf(KindTooLarge, "ice_candidate has at most %d bytes", maxCandidate)
	}
	return checkDepth(i.Candidate)
}

func (i Candidate) apply(m *move) error {
	f := Frame{Candidate: i.Candidate}
	if m.c.State == Ringing && m.me == &m.c.Callee { // it overtook the answer, if one comes
		m.me.Candidates++
		return m.wait(Waiting{To: m.peer.UserID, From: m.by.Conn, Type: TypeICE, Frame: m.frame(f)})
	}
	if err := m.here(); err != nil {
		return err
	}
	m.me.Candidates++
	return m.pass(TypeICE, f)
}

// A Status reports the state of its sender. Connected means that the media is up, Answered that it no longer is,
// Ended is the same as an [End]. A client that lost its connection also uses it to rejoin the call.
type Status struct {
	CallID string `json:"call_id"`
	Status State  `json:"status"`
}

func (s Status) check() error {
	switch s.Status {
	case Ringing, Answered, Connected, Ended:
		return nil
	}
	return errorf(KindInvalid, "status is ringing, answered, connected or ended")
}

func (s Status) apply(m *move) error {
	switch {
	case s.Status == Ended:
		return End{}.apply(m)
	case s.Status == Ringing && m.c.State == Ringing && m.me == &m.c.Callee:
		if m.peer.Conn == 0 { // the caller does not need old news
			return nil
		}
		return m.pass(TypeStatus, Frame{Status: Ringing})
	case s.Status == Ringing && m.c.State == Ringing && m.me.Joined:
		if err := m.retake(); err != nil {
			return err
		}
		m.ack()
		return nil
	case s.Status == Ringing || m.c.State == Ringing:
		return errorf(KindConflict, "the call is %s", m.c.State)
	}
	if err := m.retake(); err != nil {
		return err
	}
	m.me.Up = s.Status == Connected
	if m.me.Up && m.c.State == Answered {
		m.c.State, m.c.ConnectedAt = Connected, m.now
	}
	return m.pass(TypeStatus, Frame{Status: s.Status})
}

// An End ends a call. Without a Reason it is user_rejected if the callee ends a ringing call, and user_hangup
// otherwise.
type End struct {
	CallID string `json:"call_id"`
	Reason Reason `json:"reason"`
}

func (e End) check() error {
	if e.Reason != "" && !e.Reason.known() {
		return errorf(KindInvalid, "reason is user_hangup, user_rejected, user_busy, timeout, network_error or server_error, or left out")
	}
	return nil
}

func (e End) apply(m *move) error {
	if m.by.Conn != 0 && m.me.Conn != 0 && m.by.Session != m.me.Session {
		return errOther
	}
	usual := UserHangup
	if m.c.State == Ringing && m.me == &m.c.Callee {
		usual = UserRejected
	}
	m.end(cmp.Or(e.Reason, usual), m.me.UserID)
	m.ack()
	return nil
}

// gone: the device's connection was closed.
type gone struct{}

func (gone) check() error { return nil }

func (gone) apply(m *move) error {
	if m.by.Conn == m.me.Conn {
		m.me.Conn, m.me.Until = 0, m.now.Add(m.rules.Gone)
	}
	return nil
}

// back: a device connected. It replaces a device that is gone and had the same login: it is a client that reconnects.
type back struct{}

func (back) check() error { return nil }

func (back) apply(m *move) error {
	if m.me.Joined && m.me.Conn == 0 && m.me.Session == m.by.Session {
		m.join()
	}
	return nil
}

// expire: the deadline of the user's leg may have passed.
type expire struct{}

func (expire) check() error { return nil }

func (expire) apply(m *move) error {
	if m.me.Until.After(m.now) { // the user came back meanwhile
		return nil
	}
	reason := NetworkError
	if !m.me.Joined {
		reason = Timeout
	}
	m.end(reason, 0)
	return nil
}

func checkDescription(sdp, candidates json.RawMessage) error {
	switch {
	case len(sdp) == 0 || sdp[0] != '"' && sdp[0] != '{':
		return errorf(KindInvalid, "sdp is required: a string, or an object {type, sdp}")
	case len(sdp) > maxDescription:
		return errorf(KindTooLarge, "sdp has at most %d bytes", maxDescription)
	case len(candidates) > maxDescription:
		return errorf(KindTooLarge, "ice_candidates has at most %d bytes", maxDescription)
	case len(candidates) > 0 && candidates[0] != '[' && string(candidates) != "null":
		return errorf(KindInvalid, "ice_candidates is a list")
	}
	return checkDepth(sdp, candidates)
}

func checkDepth(values ...json.RawMessage) error {
	for _, v := range values {
		if depth(v) > maxDepth {
			return errorf(KindInvalid, "objects and lists are at most %d deep", maxDepth)
		}
	}
	return nil
}

// depth returns how deep the objects and lists of a JSON value are nested.
func depth(value json.RawMessage) (deepest int) {
	deep, quoted := 0, false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case quoted && c == '\\':
			i++ // the next character belongs to the string
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			deep++
			deepest = max(deepest, deep)
		case c == '}' || c == ']':
			deep--
		}
	}
	return deepest
}

// count returns the number of elements of a JSON list.
func count(list json.RawMessage) int {
	var elements []json.RawMessage
	if json.Unmarshal(list, &elements) != nil {
		return 0
	}
	return len(elements)
}
