package call

import (
	"crypto/rand"
	"encoding/json"
	"time"
)

// A Type says what a call begins with.
type Type string

// The types of call.
const (
	Audio Type = "audio"
	Video Type = "video"
)

// A State is how far a call has come.
type State string

// The states of a call. Each comes after the one before it; any may be followed
// by Ended, and Ended by none.
const (
	Ringing   State = "ringing"
	Answered  State = "answered"
	Connected State = "connected" // the media of one peer at least is up, or was
	Ended     State = "ended"
)

// A Reason says why a call ended.
type Reason string

// The reasons.
const (
	UserHangup   Reason = "user_hangup"
	UserBusy     Reason = "user_busy"     // the callee is in another call
	UserRejected Reason = "user_rejected" // the callee does not want to
	NetworkError Reason = "network_error" // the connection of a peer was gone for too long
	Timeout      Reason = "timeout"       // nobody answered
	ServerError  Reason = "server_error"
)

func (r Reason) known() bool {
	switch r {
	case UserHangup, UserBusy, UserRejected, NetworkError, Timeout, ServerError:
		return true
	}
	return false
}

// A Device is one connection of a user. Conn is 0 for a plain request.
type Device struct {
	UserID  int64
	Session string // the login of the connection
	Conn    uint64 // differs between nodes, too
}

// A Leg is one user's part in a call.
type Leg struct {
	Device               // that is in the call; Conn is 0 while none is
	Joined     bool      // a device was in it
	Until      time.Time // when the call ends for want of this user; put off while his device is connected
	Up         bool      // his media is up
	Candidates int       // ICE candidates that he sent
}

// A Call is one from its offer to long after its end.
type Call struct {
	ID    string
	Type  Type
	State State

	Caller, Callee Leg

	CreatedAt, AnsweredAt, ConnectedAt, EndedAt time.Time // zero: not yet

	Reason  Reason // of the end
	EndedBy int64  // the user who ended it; 0: the server

	Signals Signals
}

// Signals are what is kept for a leg that has no device yet, or has lost it.
type Signals struct {
	Offer   *Description `json:"offer,omitempty"` // while it rings
	Waiting []Waiting    `json:"waiting,omitempty"`
}

// A Description is what one peer says of its media. It is passed on unread.
type Description struct {
	SDP        json.RawMessage `json:"sdp"`
	Candidates json.RawMessage `json:"ice_candidates,omitempty"`
}

// Waiting is a frame that cannot be sent yet.
type Waiting struct {
	To    int64  `json:"to"`             // to this user, once a device of his is in the call
	From  uint64 `json:"from,omitempty"` // and if it is this one of the callee's devices that answers
	Type  string `json:"type"`
	Frame Frame  `json:"frame"`
}

// legs returns the leg of userID and the other one, or nil for a stranger.
func (c *Call) legs(userID int64) (me, peer *Leg) {
	switch userID {
	case c.Caller.UserID:
		return &c.Caller, &c.Callee
	case c.Callee.UserID:
		return &c.Callee, &c.Caller
	}
	return nil, nil
}

// late tells whose leg has run out at now. Of both it is the callee's: while it
// rings, that is a call which nobody answered.
func (c *Call) late(now time.Time) (userID int64, is bool) {
	for _, leg := range []*Leg{&c.Callee, &c.Caller} {
		if c.State != Ended && !leg.Until.After(now) {
			return leg.UserID, true
		}
	}
	return 0, false
}

// talk is how long the media of c was up.
func (c *Call) talk(now time.Time) time.Duration {
	return between(c.ConnectedAt, c.EndedAt, now)
}

// between is the time from one event to another, which may not have been yet.
func between(from, to, now time.Time) time.Duration {
	switch {
	case from.IsZero():
		return 0
	case to.IsZero():
		to = now
	}
	return max(to.Sub(from), 0)
}

// newID makes an id that nobody guesses.
func newID() string { return rand.Text() }

// A Summary is a call as its members see it.
type Summary struct {
	ID       string `json:"id"`
	CallID   string `json:"call_id"` // the same, as frames have it
	CallerID int64  `json:"caller_id"`
	CalleeID int64  `json:"callee_id"`
	Type     Type   `json:"type"`
	Status   State  `json:"status"`
	Reason   Reason `json:"end_reason,omitempty"`
	EndedBy  int64  `json:"ended_by,omitempty"`

	CreatedAt   time.Time  `json:"created_at"`
	AnsweredAt  *time.Time `json:"answered_at,omitempty"`
	ConnectedAt *time.Time `json:"connected_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`

	// In seconds; of what goes on, until now.
	Ring     float64 `json:"ring_duration"`  // from the offer to the answer, or the end
	Setup    float64 `json:"setup_duration"` // from the answer to media, or the end
	Duration float64 `json:"duration"`       // from media to the end

	Candidates Counts `json:"ice_candidates"`
}

// Counts are numbers of both peers.
type Counts struct {
	Caller int `json:"caller"`
	Callee int `json:"callee"`
}

// Summary tells what there is to know of c at now.
func (c *Call) Summary(now time.Time) Summary {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	first := func(times ...time.Time) time.Time {
		for _, t := range times {
			if !t.IsZero() {
				return t
			}
		}
		return now
	}
	return Summary{
		ID: c.ID, CallID: c.ID, CallerID: c.Caller.UserID, CalleeID: c.Callee.UserID,
		Type: c.Type, Status: c.State, Reason: c.Reason, EndedBy: c.EndedBy,
		CreatedAt: c.CreatedAt, AnsweredAt: at(c.AnsweredAt), ConnectedAt: at(c.ConnectedAt), EndedAt: at(c.EndedAt),
		Ring:       between(c.CreatedAt, first(c.AnsweredAt, c.EndedAt), now).Seconds(),
		Setup:      between(c.AnsweredAt, first(c.ConnectedAt, c.EndedAt), now).Seconds(),
		Duration:   c.talk(now).Seconds(),
		Candidates: Counts{Caller: c.Caller.Candidates, Callee: c.Callee.Candidates},
	}
}
