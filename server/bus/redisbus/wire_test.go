package redisbus

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/onemeter/onemeter/server/chat"
)

func TestIDsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := ids(rapid.SliceOf(rapid.Int64()).Draw(t, "ids"))
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got ids
		if err := json.Unmarshal(text, &got); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%v became %v: %v", want, got, err)
		}
	})
}

func TestPayloadsAreNotEscapedForHTML(t *testing.T) {
	payload, err := encodePayload(chat.MessageEdited{Message: chat.InFrame(chat.Message{Content: "<a&b>"})})
	if err != nil || !strings.Contains(string(payload), `"content":"<a&b>"`) {
		t.Errorf("%s, %v", payload, err)
	}
}

func FuzzDecode(f *testing.F) {
	body, err := encodeEvent(chat.Event{Type: chat.EventTyping, To: []int64{1, 2}, Payload: json.RawMessage(`{}`), At: time.Now()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(item{kind: kindEvent, n: 3, sent: time.Now(), body: body}.encode("node")))
	f.Add(string(item{kind: kindBeat, n: 3, sent: time.Now()}.encode("node")))
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := decode(raw)
		if err != nil {
			return
		}
		again, err := decode(string(item{m.kind, m.n, time.UnixMicro(m.sent), []byte(m.body)}.encode(m.node)))
		if err != nil || again != m {
			t.Fatalf("%+v became %+v: %v", m, again, err)
		}
		e, err := decodeEvent(m.body)
		if err != nil {
			return
		}
		payload, _ := e.Payload.(json.RawMessage)
		if e.Payload != nil && !json.Valid(payload) {
			t.Fatalf("payload %q", payload)
		}
	})
}
