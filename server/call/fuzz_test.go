package call

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzEvents has any payload be any event in any situation: what is accepted can
// be stored, read again and sent, and keeps to the bounds.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(`{"call_id":"x","sdp":{"type":"offer","sdp":"v=0"},"ice_candidates":[1]}`))
	f.Add([]byte(`{"call_id":"x","sdp":"v=0","ice_candidate":null,"status":"connected","reason":"timeout"}`))
	f.Add([]byte(`{"sdp":[],"ice_candidate":"\ud800","status":"ringing"}`))
	f.Add([]byte(`{"sdp":{"sdp":` + strings.Repeat("[", 9_997) + strings.Repeat("]", 9_997) + `},"ice_candidate":null,"status":"ringing"}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		var o Offer
		var a Answer
		var i Candidate
		var s Status
		var e End
		for _, into := range []any{&o, &a, &i, &s, &e} {
			if json.Unmarshal(payload, into) != nil {
				return
			}
		}
		for _, event := range []Event{o, a, i, s, e} {
			if event.check() != nil {
				continue
			}
			for _, c := range situations(t) {
				for _, actor := range actors {
					after, out, err := transition(c.Call, actor.Device, event, start, rules)
					if err != nil {
						continue
					}
					if text, err := json.Marshal(after.Signals); err != nil || len(text) > 2*(maxWaitingBytes+2*maxDescription)+100_000 {
						t.Fatalf("%T by %s: %d bytes to keep: %v", event, actor.name, len(text), err)
					}
					if text, _ := json.Marshal(after.Signals); json.Unmarshal(text, &Signals{}) != nil {
						t.Fatalf("%T by %s: what is kept cannot be read again", event, actor.name)
					}
					for _, n := range out {
						if _, err := json.Marshal(n.Frame); err != nil {
							t.Fatalf("%T by %s: %v", event, actor.name, err)
						}
					}
				}
			}
		}
	})
}
