package ws

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
	"pgregory.net/rapid"

	"github.com/onemeter/onemeter/server/chat"
)

// unframe decodes an unmasked frame, strictly by RFC 6455.
func unframe(b []byte) (op byte, payload []byte, ok bool) {
	if len(b) < 2 {
		return 0, nil, false
	}
	op, length, rest := b[0], uint64(b[1]), b[2:]
	switch {
	case length == 126 && len(rest) >= 2:
		length, rest = uint64(binary.BigEndian.Uint16(rest)), rest[2:]
		ok = length >= 126 // the shortest form is the only one allowed
	case length == 127 && len(rest) >= 8:
		length, rest = binary.BigEndian.Uint64(rest), rest[8:]
		ok = length >= 1<<16
	default:
		ok = length < 126
	}
	return op, rest, ok && uint64(len(rest)) == length
}

func TestEncodedFramesAreFramesOfJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := rapid.OneOf(rapid.SampledFrom([]string{"message.new", "presence", "x_y"}), rapid.String()).Draw(t, "type")
		payload := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "payload")
		payload["fill"] = strings.Repeat("é", rapid.SampledFrom([]int{0, 20, 30, 40, 100, 32600, 32700, 40000}).Draw(t, "fill"))
		at := time.UnixMilli(rapid.Int64Range(-62135596800000, 253402300799999).Draw(t, "at"))
		f, err := encode(typ, payload, at)
		if err != nil {
			t.Fatal(err)
		}
		op, body, ok := unframe(f.wire)
		if !ok || op != opText || !utf8.Valid(body) {
			t.Fatalf("bad frame % x…", f.wire[:min(len(f.wire), 16)])
		}
		var back got
		if err := json.Unmarshal(body, &back); err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		var same map[string]string
		err = json.Unmarshal(back.Payload, &same)
		if err != nil || back.Type != typ || !maps.Equal(same, payload) || !back.Timestamp.Equal(at) {
			t.Fatalf("%s became %+v", typ, back)
		}
	})
}

func TestEncodeRefusesWhatIsNoJSON(t *testing.T) {
	now := time.Now()
	for name, payload := range map[string]any{"a channel": make(chan int), "broken raw JSON": json.RawMessage(`{"a`), "broken bytes": []byte(`]`)} {
		if f, err := encode("x", payload, now); err == nil {
			t.Errorf("%s: %q", name, f.wire)
		}
	}
	if f, err := encode("x", 1, time.Date(12345, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
		t.Errorf("a year of five digits: %q", f.wire)
	}
	raw, err := encode("x", []byte(`{"a":1}`), now)
	if err != nil || !bytes.Contains(raw.wire, []byte(`"payload":{"a":1}`)) {
		t.Errorf("raw JSON: %v", err)
	}
}

func TestFramesAreNotEscapedForHTML(t *testing.T) {
	for _, payload := range []any{map[string]string{"sdp": "<a&b>"}, []byte(`{"sdp":"<a&b>"}`), json.RawMessage(`{"sdp":"<a&b>"}`)} {
		f, err := encode("call.offer", payload, time.Now())
		if err != nil || !bytes.Contains(f.wire, []byte(`"payload":{"sdp":"<a&b>"},`)) {
			t.Errorf("%T: %q, %v", payload, f.wire, err)
		}
	}
}

// The library can read frames of every size.
func TestTheLibraryReadsOurFrames(t *testing.T) {
	w := newWorld(t, Config{})
	c := w.dial(w.user("ann"))
	server := w.hub.all(nil)[0]
	around := len(`{"type":"x","payload":"","timestamp":"2006-01-02T15:04:05.000Z"}`)
	for _, total := range []int{around, 125, 126, 127, 1<<16 - 1, 1 << 16, 1<<16 + 1, 3 << 20} {
		content := strings.Repeat("y", total-around)
		f, err := encode("x", content, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		server.send(f)
		server.send(pingFrame)
		var back string
		if c.want("x", &back); back != content {
			t.Errorf("%d bytes: got %d", total, len(back)+around)
		}
	}
	server.sendClose(closeFrame(websocket.StatusPolicyViolation, strings.Repeat("r", 200)), false)
	c.wantClosed(websocket.StatusPolicyViolation)
}

func TestDecode(t *testing.T) {
	var in inbound
	if err := decode([]byte(`{"type":"a","payload":{"x":1},"timestamp":5,"more":[]}`), &in); err != nil || in.Type != "a" || string(in.Payload) != `{"x":1}` {
		t.Errorf("%+v, %v", in, err)
	}
	// The next frame has nothing of the last.
	if err := decode([]byte(`{"type":"b"}`), &in); err != nil || in.Type != "b" || len(in.Payload) != 0 {
		t.Errorf("%+v, %v", in, err)
	}
	if err := decode([]byte(`{"payload":{}}`), &in); err == nil || in.Type != "" {
		t.Errorf("%+v, %v", in, err)
	}
}

func TestFailuresTellStrangersNothing(t *testing.T) {
	f, known := failureOf(errors.New("dial tcp 10.0.0.7: password=hunter2"))
	if known || f.Code != Code(chat.KindInternal) || strings.Contains(f.Message+f.Details, "hunter2") {
		t.Errorf("%+v", f)
	}
}

// If the service does not handle a frame in time, the client is told to try again.
func TestOutOfTimeIsNoInternalError(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	f, known := failureOf(fmt.Errorf("queue: %w", ctx.Err()))
	if !known || f.Code != Code(chat.KindUnavailable) {
		t.Errorf("%+v", f)
	}
}

// FuzzFrame decodes frames and payloads of a client.
func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		``, `{}`, `null`, `[]`, `{"type":"ping"}`, `{"type":"ping","payload":null}`, "{\"type\":\"\xff\"}",
		`{"type":"message.send","payload":{"receiver_id":2,"content":"hi","client_msg_id":"a"}}`,
		`{"type":"message.edit","payload":{"message_id":1,"id":2,"content":"x"}}`, `{"type":"sync","payload":{"chat_id":1,"after_seq":-1}}`,
		`{"TYPE":"ping","type":7}`, `{"type":"typing","payload":{"is_typing":"yes"}}`, `{"type":"\ud800"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := inbound{Payload: json.RawMessage("left over")}
		if err := decode(data, &in); err != nil {
			checkRefusal(t, err)
			return
		}
		if in.Type == "" || !json.Valid(data) || len(in.Payload) > 0 && !json.Valid(in.Payload) {
			t.Fatalf("%q decoded as %+v", data, in)
		}
		for _, v := range []any{new(chat.Draft), new(messageRef), new(syncRequest)} {
			if err := decodePayload(in.Payload, v); err != nil {
				checkRefusal(t, err)
			}
		}
	})
}

// checkRefusal checks that err becomes a valid error frame.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	answer, known := failureOf(err)
	if !known || answer.Code == "" || answer.Message == "" || answer.Details == "" {
		t.Fatalf("%v became %+v", err, answer)
	}
	frame, err := encode("error", answer, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, body, ok := unframe(frame.wire); !ok || !json.Valid(body) {
		t.Fatalf("%q", frame.wire)
	}
}

func BenchmarkDecode(b *testing.B) {
	data := []byte(`{"type":"message.send","payload":{"chat_id":7,"content":"` + strings.Repeat("hello wor ", 10) + `","client_msg_id":"c-1234"}}`)
	var in inbound
	b.ReportAllocs()
	for b.Loop() {
		var d chat.Draft
		if err := decode(data, &in); err != nil {
			b.Fatal(err)
		}
		if err := decodePayload(in.Payload, &d); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	e := benchEvent(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encode(string(e.Type), e.Payload, e.At); err != nil {
			b.Fatal(err)
		}
	}
}
