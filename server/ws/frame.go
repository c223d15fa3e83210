package ws

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// First bytes of the frames that a server sends: FIN and the opcode (RFC 6455,
// section 5.2).
const (
	opText  = 0x81
	opClose = 0x88
	opPing  = 0x89
)

// maxReason is how long the text of a close frame may be.
const maxReason = 123

// stamp is RFC 3339 in milliseconds.
const stamp = "2006-01-02T15:04:05.000Z07:00"

// stampRoom is what a stamp takes while it is formatted.
const stampRoom = 40

// A frame is what one write carries, header included. It never changes, so
// that all receivers of an event share one.
type frame struct {
	wire     []byte
	delivery *delivery // nil unless it carries an event
}

// pingFrame asks a silent client whether it is there.
var pingFrame = &frame{wire: []byte{opPing, 0}}

// encode makes a text frame {"type", "payload", "timestamp"}. Raw JSON as a
// payload (json.RawMessage or []byte) goes through as it is.
func encode(typ string, payload any, at time.Time) (*frame, error) {
	if raw, ok := payload.([]byte); ok {
		payload = json.RawMessage(raw)
	}
	w := frameWriter{typ: typ}
	if err := newEncoder(&w).Encode(payload); err != nil {
		return nil, fmt.Errorf("encoding %s: %w", typ, err)
	}
	return w.finish(at)
}

// newEncoder makes an encoder without the escapes for HTML, which would make
// six bytes of "<": nobody reads frames as HTML.
func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// A frameWriter makes a frame around the payload that an encoder writes to it,
// in one piece of memory.
type frameWriter struct {
	typ  string
	wire []byte
}

func (w *frameWriter) Write(payload []byte) (int, error) {
	if w.wire == nil {
		const around = len(`{"type":"","payload":,"timestamp":""}`) + stampRoom
		w.wire = make([]byte, maxHeader, maxHeader+around+len(w.typ)+len(payload))
		w.wire = appendQuoted(append(w.wire, `{"type":`...), w.typ)
		w.wire = append(w.wire, `,"payload":`...)
	}
	w.wire = append(w.wire, payload...)
	return len(payload), nil
}

// finish puts the rest behind the payload and the header in front.
func (w *frameWriter) finish(at time.Time) (*frame, error) {
	at = at.UTC()
	if year := at.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("encoding %s: the year %d does not fit", w.typ, year)
	}
	wire := append(w.wire[:len(w.wire)-1], `,"timestamp":"`...) // the encoder ends with a newline
	wire = append(at.AppendFormat(wire, stamp), `"}`...)
	var space [maxHeader]byte
	header := appendHeader(space[:0], opText, len(wire)-maxHeader)
	wire = wire[maxHeader-len(header):]
	copy(wire, header)
	return &frame{wire: wire}, nil
}

// appendQuoted appends a type as a JSON string. It hardly ever needs escapes.
func appendQuoted(b []byte, typ string) []byte {
	for i := range len(typ) {
		if c := typ[i]; (c < 'a' || c > 'z') && c != '.' && c != '_' {
			quoted, _ := json.Marshal(typ) // a string always can be
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), typ...), '"')
}

const maxHeader = 10

// appendHeader appends the header of an unmasked, whole frame.
func appendHeader(b []byte, op byte, length int) []byte {
	switch {
	case length < 126:
		return append(b, op, byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, op, 126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(b, op, 127), uint64(length))
	}
}

// closeFrame makes the last frame of a connection.
func closeFrame(code websocket.StatusCode, reason string) *frame {
	reason = reason[:min(len(reason), maxReason)]
	b := appendHeader(make([]byte, 0, 4+len(reason)), opClose, 2+len(reason))
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return &frame{wire: append(b, reason...)}
}

// An inbound is a frame from a client. Its payload lives until the next decode.
type inbound struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// A Code is the error_code of an error frame: a chat.Kind, or one of these.
type Code string

// The codes of what never reached the domain.
const (
	CodeBadJSON     Code = "bad_json"
	CodeBadUTF8     Code = "bad_utf8"
	CodeBinary      Code = "binary"
	CodeUnknownType Code = "unknown_type"
)

// A refusal is an answer to a frame that cannot be acted upon.
type refusal struct {
	code         Code
	what, detail string
}

func (r *refusal) Error() string { return r.what + ": " + r.detail }

const frameRefused = "frame refused"

// decode reads a frame's envelope into in.
func decode(data []byte, in *inbound) error {
	in.Type, in.Payload = "", in.Payload[:0]
	if !utf8.Valid(data) {
		return &refusal{CodeBadUTF8, frameRefused, "a text frame is UTF-8"}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return &refusal{CodeBadJSON, frameRefused, "a frame begins with {: leave the byte order mark out"}
	}
	if err := json.Unmarshal(data, in); err != nil {
		return badJSON(err)
	}
	if in.Type == "" {
		return &refusal{CodeBadJSON, frameRefused, "type is required"}
	}
	return nil
}

// decodePayload reads the payload of a frame into v; none at all is an empty one.
func decodePayload(payload json.RawMessage, v any) error {
	if len(payload) == 0 {
		return nil
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return badJSON(err)
	}
	return nil
}

// badJSON tells what is wrong in words of JSON, not of Go.
func badJSON(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		if e.Field == "" {
			return &refusal{CodeBadJSON, frameRefused, "an object is expected, not a JSON " + e.Value}
		}
		return &refusal{CodeBadJSON, frameRefused, e.Field + " cannot be a JSON " + e.Value}
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &refusal{CodeBadJSON, frameRefused, fmt.Sprintf("not JSON, at byte %d: %v", e.Offset, e)}
	}
	return &refusal{CodeBadJSON, frameRefused, "not JSON"}
}

// failure is the payload of an error frame.
type failure struct {
	Code        Code   `json:"error_code"`
	Message     string `json:"message"`
	Details     string `json:"details"`
	ClientMsgID string `json:"client_msg_id,omitempty"` // of the message that was not sent
}

// failureOf tells a client what it may know of err; known is false where that
// is nothing.
func failureOf(err error) (f failure, known bool) {
	if r, ok := errors.AsType[*refusal](err); ok {
		return failure{Code: r.code, Message: r.what, Details: r.detail}, true
	}
	if e, ok := errors.AsType[*call.Error](err); ok {
		return failure{Code: Code(e.Kind), Message: e.What, Details: e.Why}, true
	}
	if e, ok := errors.AsType[*chat.Error](err); ok {
		return failure{Code: Code(e.Kind), Message: e.What, Details: e.Why}, true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return failure{Code: Code(chat.KindUnavailable), Message: "out of time", Details: "the server is busy: try again in a moment"}, true
	}
	return failure{Code: Code(chat.KindInternal), Message: "internal error", Details: "try again later"}, false
}
