package chat

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// TestMembershipJSONRoundTrip: nodes share a Membership as JSON.
func TestMembershipJSONRoundTrip(t *testing.T) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	loaded := Membership{
		Conversation: Conversation{ID: 7, Kind: Group, Title: "t", OwnerID: 2, LastSeq: 3, CreatedAt: at},
		Members: []Member{
			{ConversationID: 7, UserID: 2, Role: RoleOwner, JoinedAt: at},
			{ConversationID: 7, UserID: 5, Role: RoleMember, Muted: true, JoinedAt: at},
		},
	}
	loaded.ids = loaded.UserIDs() // as Service.membership does
	text, err := json.Marshal(loaded)
	if err != nil {
		t.Fatal(err)
	}
	got := Membership{ids: []int64{1}} // an earlier value
	if err := json.Unmarshal(text, &got); err != nil || !reflect.DeepEqual(got, loaded) {
		t.Errorf("%+v came back, want %+v: %v", got, loaded, err)
	}
	if err := json.Unmarshal([]byte(`{"Members":1}`), &got); err == nil || !reflect.DeepEqual(got, loaded) {
		t.Errorf("garbage: %v, and %+v", err, got)
	}
}
