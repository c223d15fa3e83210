package call

import (
	"crypto/rand"
	"encoding/json"
	"time"
)

// A Type is the media that a call begins with.
type Type string

// The types of call.
const (
	Audio Type = "audio"
	Video Type = "video"
)

// A State is the progress of a call.
type State string

// The states of a call, in their order. Each may be followed by the next one or by Ended, which is final.
const (
	Ringing   State = "ringing"
	Answered  State = "answered"
	Connected State = "connected" // the media of at least one peer is or was up
	Ended     State = "ended"
)

// A Reason says why a call ended.
type Reason string

// The reasons.
const (
	UserHangup   Reason = "user_hangup"
	UserBusy     Reason = "user_busy"     // the callee is in another call
	UserRejected Reason = "user_rejected" // the callee declined
	NetworkError Reason = "network_error" // a peer was disconnected for too long
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
	Conn    uint64 // unique over all nodes
}

// A Leg is one user's part in a call.
type Leg struct {
	Device               // in the call; Conn is 0 while there is none
	Joined     bool      // a device has been in the call
	Until      time.Time // deadline: the call ends unless it is extended, which happens while the device is connected
	Up         bool      // the user's media is up
	Candidates int       // ICE candidates that the user sent
}

// A Call is one call, from its offer until it is deleted.
type Call struct {
	ID    string
	Type  Type
	State State

	Caller, Callee Leg

	CreatedAt, AnsweredAt, ConnectedAt, EndedAt time.Time // zero if it has not happened yet

	Reason  Reason // why it ended
	EndedBy int64  // the user who ended it, or 0 for the server

	Signals Signals
}

// Signals are frames kept for a leg that has no device yet, or has lost it.
type Signals struct {
	Offer   *Description `json:"offer,omitempty"` // while it rings
	Waiting []Waiting    `json:"waiting,omitempty"`
}

// A Description is a peer's description of its media. The server does not read it.
type Description struct {
	SDP        json.RawMessage `json:"sdp"`
	Candidates json.RawMessage `json:"ice_candidates,omitempty"`
}

// Waiting is a frame that cannot be sent yet.
type Waiting struct {
	To    int64  `json:"to"`             // send it to this user once a device of theirs is in the call
	From  uint64 `json:"from,omitempty"` // if not 0, only if this device of the callee answers
	Type  string `json:"type"`
	Frame Frame  `json:"frame"`
}

// legs returns the leg of userID and the other one, or nil for other users.
func (c *Call) legs(userID int64) (me, peer *Leg) {
	switch userID {
	case c.Caller.UserID:
		return &c.Caller, &c.Callee
	case c.Callee.UserID:
		return &c.Callee, &c.Caller
	}
	return nil, nil
}

// late returns the user whose leg has expired at now. If both have, it is the callee: while the call rings, that
// means nobody answered.
func (c *Call) late(now time.Time) (userID int64, is bool) {
	for _, leg := range []*Leg{&c.Callee, &c.Caller} {
		if c.State != Ended && !leg.Until.After(now) {
			return leg.UserID, true
		}
	}
	return 0, false
}

// talk returns how long the media was up.
func (c *Call) talk(now time.Time) time.Duration {
	return between(c.ConnectedAt, c.EndedAt, now)
}

// between returns the time between two events; if to has not happened yet, until now.
func between(from, to, now time.Time) time.Duration {
	switch {
	case from.IsZero():
		return 0
	case to.IsZero():
		to = now
	}
	return max(to.Sub(from), 0)
}

// newID returns an id that cannot be guessed.
func newID() string { return rand.Text() }

// A Summary is a call as its two users see it.
type Summary struct {
	ID       string `json:"id"`
	CallID   string `json:"call_id"` // the same; frames use this name
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

	// In seconds; if not finished, until now.
	Ring     float64 `json:"ring_duration"`  // from the offer to the answer or the end
	Setup    float64 `json:"setup_duration"` // from the answer to media or the end
	Duration float64 `json:"duration"`       // from media to the end

	Candidates Counts `json:"ice_candidates"`
}

// Counts are numbers for both peers.
type Counts struct {
	Caller int `json:"caller"`
	Callee int `json:"callee"`
}

// Summary returns the summary of c at now.
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
