package server_test

import (
	"net/http"
	"testing"
)

// TestABlockIsFeltAtOnce goes through the whole server: frames, and the call that
// the two are in.
func TestABlockIsFeltAtOnce(t *testing.T) {
	a := start(t, nil)
	alice, bob := pair(t, a, a)
	phone, laptop, other := alice.dialIn(t), alice.login(t).dialIn(t), bob.dialIn(t)
	offer := func(from *socket, to *user) {
		from.write(t, "call.offer", map[string]any{"to_user": to.id, "call_type": "audio", "sdp": "offer"})
	}
	offer(other, alice)
	phone.expect(t, "call.offer")
	alice.do(t, http.StatusCreated, "POST", "/api/users/blocked", map[string]any{"user_id": bob.id})
	other.expect(t, "call.end")
	for _, s := range []*socket{phone, laptop} {
		if f := decode[struct {
			UserID int64 `json:"user_id"`
			Change string
		}](t, s.expect(t, "user.update").Payload); f.UserID != bob.id || f.Change != "blocked" {
			t.Errorf("user.update %+v", f)
		}
	}
	other.write(t, "message.send", map[string]any{"receiver_id": alice.id, "content": "x", "client_msg_id": "1"})
	other.fails(t, "forbidden", "has blocked you")
	offer(other, alice)
	other.fails(t, "forbidden", "has blocked you")
	offer(phone, bob)
	phone.fails(t, "forbidden", "unblock them first")
	phone.silent(t)
	if n := phone.count("message.new"); n != 0 {
		t.Errorf("%d messages came through", n)
	}
}
