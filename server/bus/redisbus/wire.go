package redisbus

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A message on the channel is a line and a body:
//
//	im1 NODE NUMBER MICROSECONDS KIND
//
// The number of a beat or a bye is that of the last event or signal before it.
const (
	version    = "im1"
	kindEvent  = "event"  // body: a line of meta, and the payload
	kindSignal = "signal" // body: a line with the topic, and data
	kindBeat   = "beat"
	kindBye    = "bye" // sent by a node that has published everything and stops
)

// maxMessage is the most bytes of a message. The server sends nothing near that size.
const maxMessage = 4 << 20

// A meta is an event without its payload and without Except, because the connection that caused the event is on the
// node that published it.
type meta struct {
	Type           chat.EventType `json:"type"`
	To             ids            `json:"to"`
	Everyone       bool           `json:"everyone,omitempty"`
	At             time.Time      `json:"at"`
	ConversationID int64          `json:"conversation_id,omitempty"`
	Seq            int64          `json:"seq,omitempty"`
	MessageID      int64          `json:"message_id,omitempty"`
	From           int64          `json:"from,omitempty"`
	Receipt        bool           `json:"receipt,omitempty"`
	Session        string         `json:"session,omitempty"`
	Reason         string         `json:"reason,omitempty"`
	Only           uint64         `json:"only,omitempty"`
	Call           string         `json:"call,omitempty"`
	Trace          string         `json:"trace,omitempty"`
}

// encodeEvent returns the body of an event, whose payload must be nil or JSON.
func encodeEvent(e chat.Event) ([]byte, error) {
	payload, _ := e.Payload.(json.RawMessage)
	body, err := json.Marshal(meta{
		Type: e.Type, To: e.To, Everyone: e.Everyone, At: e.At, ConversationID: e.ConversationID, Seq: e.Seq,
		MessageID: e.MessageID, From: e.From, Receipt: e.Receipt, Session: e.Session, Reason: e.Reason, Only: e.Only, Call: e.Call, Trace: e.Trace,
	})
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", e.Type, err)
	}
	if len(body)+len(payload) > maxMessage-1024 {
		return nil, fmt.Errorf("event %s: %d bytes are too large for a message", e.Type, len(body)+len(payload))
	}
	body = append(body, '\n')
	return append(body, payload...), nil
}

// encodePayload is json.Marshal without HTML escapes, which would turn "<" into six bytes and reach clients.
func encodePayload(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func decodeEvent(body string) (chat.Event, error) {
	head, payload, ok := strings.Cut(body, "\n")
	var m meta
	if !ok {
		return chat.Event{}, errGarbage
	}
	if err := json.Unmarshal([]byte(head), &m); err != nil {
		return chat.Event{}, err
	}
	e := chat.Event{
		Type: m.Type, To: m.To, Everyone: m.Everyone, At: m.At, ConversationID: m.ConversationID, Seq: m.Seq,
		MessageID: m.MessageID, From: m.From, Receipt: m.Receipt, Session: m.Session, Reason: m.Reason, Only: m.Only, Call: m.Call, Trace: m.Trace,
	}
	if payload != "" {
		raw := []byte(payload)
		if !json.Valid(raw) {
			return chat.Event{}, errGarbage
		}
		e.Payload = json.RawMessage(raw)
	}
	return e, nil
}

func encodeSignal(topic string, data []byte) []byte {
	return append(append([]byte(topic), '\n'), data...)
}

// A message is a decoded message of a node.
type message struct {
	node string
	n    uint64
	sent int64 // microseconds since 1970, by the sender's clock
	kind string
	body string
}

var errGarbage = errors.New("not a message of this version")

func (it item) encode(node string) []byte {
	b := make([]byte, 0, len(version)+len(node)+len(it.kind)+len(it.body)+48)
	b = append(append(b, version...), ' ')
	b = append(append(b, node...), ' ')
	b = append(strconv.AppendUint(b, it.n, 10), ' ')
	b = append(strconv.AppendInt(b, it.sent.UnixMicro(), 10), ' ')
	b = append(append(b, it.kind...), '\n')
	return append(b, it.body...)
}

func decode(raw string) (m message, err error) {
	line, body, ok := strings.Cut(raw[:min(len(raw), maxMessage)], "\n")
	fields := strings.Split(line[:min(len(line), 256)], " ")
	if !ok || len(raw) > maxMessage || len(fields) != 5 || fields[0] != version || fields[1] == "" {
		return m, errGarbage
	}
	m.node, m.kind, m.body = fields[1], fields[4], body
	if m.n, err = strconv.ParseUint(fields[2], 10, 64); err != nil {
		return m, errGarbage
	}
	if m.sent, err = strconv.ParseInt(fields[3], 10, 64); err != nil {
		return m, errGarbage
	}
	return m, nil
}

// ids encodes each user id as the difference to the previous one: one or two bytes instead of six or more, in groups
// of hundreds.
type ids []int64

// MarshalText implements encoding.TextMarshaler.
func (l ids) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, 2*len(l)+8)
	before := int64(0)
	for _, id := range l {
		raw = binary.AppendVarint(raw, id-before)
		before = id
	}
	return base64.RawStdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *ids) UnmarshalText(text []byte) error {
	raw, err := base64.RawStdEncoding.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	*l = make(ids, 0, len(raw))
	before := int64(0)
	for len(raw) > 0 {
		difference, n := binary.Varint(raw)
		if n <= 0 {
			return errGarbage
		}
		before += difference
		*l, raw = append(*l, before), raw[n:]
	}
	return nil
}
