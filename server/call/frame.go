package call

import "encoding/json"

// The types of frames.
const (
	TypeOffer  = "call.offer"
	TypeAnswer = "call.answer"
	TypeICE    = "call.ice"
	TypeStatus = "call.status"
	TypeEnd    = "call.end"
)

// A Frame is the payload of a frame to a client. From caused it; To is the other user, or for TypeEnd the reader.
type Frame struct {
	CallID string `json:"call_id"`
	From   int64  `json:"from_user"`
	To     int64  `json:"to_user"`
	Type   Type   `json:"call_type,omitempty"` // for TypeOffer, and for TypeStatus when it begins to ring

	SDP        json.RawMessage `json:"sdp,omitempty"`            // for TypeOffer and TypeAnswer
	Candidates json.RawMessage `json:"ice_candidates,omitempty"` // for TypeOffer and TypeAnswer
	Candidate  json.RawMessage `json:"ice_candidate,omitempty"`  // for TypeICE
	Status     State           `json:"status,omitempty"`         // for TypeStatus
	Reason     Reason          `json:"reason,omitempty"`         // for TypeEnd, and for TypeStatus when the call has ended
	Duration   float64         `json:"duration,omitempty"`       // for TypeEnd: seconds from media to the end
}

func (f *Frame) size() int { return len(f.SDP) + len(f.Candidates) + len(f.Candidate) }

// A Notice is a frame for devices of a user: only for Only if that is set, and never for Except.
type Notice struct {
	To           int64
	Only, Except uint64
	Type         string
	Frame        Frame
}
