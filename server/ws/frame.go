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
	"github.com/onemeter/onemeter/server/jsontype"
)

// First bytes of the frames that a server sends: FIN and the opcode (RFC 6455, section 5.2).
const (
	opText  = 0x81
	opClose = 0x88
	opPing  = 0x89
)

// maxReason is the largest reason of a close frame, in bytes (RFC 6455, section 5.5).
const maxReason = 123

// stamp is RFC 3339 with milliseconds.
const stamp = "2006-01-02T15:04:05.000Z07:00"

// stampRoom is enough bytes for formatting a stamp.
const stampRoom = 40

// A frame is an encoded WebSocket frame, with its header. It is immutable: all receivers of an event share one.
type frame struct {
	wire     []byte
	delivery *delivery // nil unless it carries an event

	notices chat.Told // that its receiver was told of, once it is written
}

// pingFrame checks whether a silent client is still connected.
var pingFrame = &frame{wire: []byte{opPing, 0}}

// encode makes a text frame {"type", "payload", "timestamp"}. A payload that is raw JSON (json.RawMessage or []byte) is
// copied unchanged.
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

// newEncoder makes an encoder that does not escape HTML: that would turn "<" into six bytes, and no client reads frames
// as HTML.
func newEncoder(w io.Writer) *json.Encoder {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc
}

// A frameWriter builds a frame around the payload that an encoder writes to it, with a single allocation.
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

// finish appends the timestamp to the payload and puts the header in front.
func (w *frameWriter) finish(at time.Time) (*frame, error) {
	at = at.UTC()
	if year := at.Year(); year < 0 || year > 9999 {
		return nil, fmt.Errorf("encoding %s: the year %d has no four digits", w.typ, year)
	}
	wire := append(w.wire[:len(w.wire)-1], `,"timestamp":"`...) // the encoder ends with a newline
	wire = append(at.AppendFormat(wire, stamp), `"}`...)
	var space [maxHeader]byte
	header := appendHeader(space[:0], opText, len(wire)-maxHeader)
	wire = wire[maxHeader-len(header):]
	copy(wire, header)
	return &frame{wire: wire}, nil
}

// appendQuoted appends a type as a JSON string. Our own types need no escapes.
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

// appendHeader appends the header of an unmasked frame that is not a fragment.
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

// An inbound is a frame from a client. Its payload is valid until the next decode.
type inbound struct {
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// A Code is the error_code of an error frame: a chat.Kind, or one of the constants below.
type Code string

// The codes of frames that do not reach the domain.
const (
	CodeBadJSON     Code = "bad_json"
	CodeBadUTF8     Code = "bad_utf8"
	CodeBinary      Code = "binary"
	CodeUnknownType Code = "unknown_type"
)

// A refusal is the error for a frame that does not reach the domain.
type refusal struct {
	code         Code
	what, detail string
}

func (r *refusal) Error() string { return r.what + ": " + r.detail }

const frameRefused = "frame refused"

// decode decodes a frame into in, but not its payload.
func decode(data []byte, in *inbound) error {
	in.Type, in.Payload = "", in.Payload[:0]
	if !utf8.Valid(data) {
		return &refusal{CodeBadUTF8, frameRefused, "the frame is not valid UTF-8"}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return &refusal{CodeBadJSON, frameRefused, "the frame begins with a byte order mark: omit it"}
	}
	if err := json.Unmarshal(data, in); err != nil {
		return badJSON(err, "the frame", in)
	}
	if in.Type == "" {
		return &refusal{CodeBadJSON, frameRefused, "type is required"}
	}
	return nil
}

// decodePayload decodes the payload of a frame into v. A missing payload leaves v as it is.
func decodePayload(payload json.RawMessage, v any) error {
	if len(payload) == 0 {
		return nil
	}
	if err := json.Unmarshal(payload, v); err != nil {
		return badJSON(err, "payload", v)
	}
	return nil
}

// badJSON describes an error of encoding/json in the terms of JSON, not of Go. what was decoded into into.
func badJSON(err error, what string, into any) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		detail := jsontype.Describe(e, into)
		if detail == "" {
			detail = what + " must be a JSON object"
		}
		return &refusal{CodeBadJSON, frameRefused, detail}
	}
	if e, ok := errors.AsType[*json.SyntaxError](err); ok {
		return &refusal{CodeBadJSON, frameRefused, fmt.Sprintf("invalid JSON at byte %d: %v", e.Offset, e)}
	}
	return &refusal{CodeBadJSON, frameRefused, "invalid JSON"}
}

// failure is the payload of an error frame.
type failure struct {
	Code        Code   `json:"error_code"`
	Message     string `json:"message"`
	Details     string `json:"details"`
	ClientMsgID string `json:"client_msg_id,omitempty"` // of the message that was not sent
}

// failureOf returns the payload of the error frame for err. known is false for an error that the client must not see.
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
