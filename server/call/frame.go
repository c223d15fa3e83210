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

// A Frame is the payload of a frame to a client. From caused it; To is the other
// user, or of TypeEnd the reader.
type Frame struct {
	CallID string `json:"call_id"`
	From   int64  `json:"from_user"`
	To     int64  `json:"to_user"`
	Type   Type   `json:"call_type,omitempty"` // of TypeOffer, and of TypeStatus when it begins to ring

	SDP        json.RawMessage `json:"sdp,omitempty"`            // of TypeOffer, TypeAnswer
	Candidates json.RawMessage `json:"ice_candidates,omitempty"` // the same
	Candidate  json.RawMessage `json:"ice_candidate,omitempty"`  // of TypeICE
	Status     State           `json:"status,omitempty"`         // of TypeStatus
	Reason     Reason          `json:"reason,omitempty"`         // of TypeEnd, and of TypeStatus when it has ended
	Duration   float64         `json:"duration,omitempty"`       // of TypeEnd: seconds from media to the end
}

func (f *Frame) size() int { return len(f.SDP) + len(f.Candidates) + len(f.Candidate) }

// A Notice is a frame on its way to devices of a user: to Only, if that is set,
// and never to Except.
type Notice struct {
	To           int64
	Only, Except uint64
	Type         string
	Frame        Frame
}
