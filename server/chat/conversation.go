package chat

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// A ConversationKind is direct or group.
type ConversationKind string

// The kinds of conversation. A note to self is a direct conversation with one member.
const (
	Direct ConversationKind = "direct"
	Group  ConversationKind = "group"
)

// A Conversation orders its messages by Seq: the first one has Seq 1, and the last one
// LastSeq.
type Conversation struct {
	ID        int64            `json:"id"`
	Kind      ConversationKind `json:"type"`
	Title     string           `json:"title"`
	OwnerID   int64            `json:"owner_id,omitempty"`
	LastSeq   int64            `json:"last_seq"`
	CreatedAt time.Time        `json:"created_at"`

	MemberCount int      `json:"member_count,omitempty"`
	Members     []Member `json:"members,omitempty"`
	Invited     []int64  `json:"invited,omitempty"` // users who got a request when it was created; members once they accept
}

// A Role is a member's role in a group.
type Role string

// Roles in a group, the highest first.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// A Member is a user's membership of a conversation. A banned user is not a member; the
// ban is stored so that nobody adds the user again by mistake.
type Member struct {
	ConversationID int64     `json:"-"`
	UserID         int64     `json:"user_id"`
	Role           Role      `json:"role"`
	Muted          bool      `json:"muted"`
	Banned         bool      `json:"banned,omitempty"`
	Invited        bool      `json:"invited,omitempty"` // got a request; a member once the user accepts
	JoinedAt       time.Time `json:"joined_at"`
	User           *User     `json:"user,omitempty"`
}

// in reports whether m is a member.
func (m Member) in() bool { return m.Role != "" && !m.Banned }

// A MemberChange is a change of a member by another one, or by the member.
type MemberChange struct {
	ConversationID  int64
	ActorID, UserID int64 // who changes, and who is changed
	Limit           int   // most members; 0: no limit
	Request         int64 // id of the request of UserID that this accepts; 0: none

	// Decide changes member, or refuses by an error. It gets both members as they are
	// in the transaction. A user who is neither a member nor banned has no Role. If
	// Decide leaves the member without a Role, the member leaves. It may be called more
	// than once, and must be quick and have no other effects, because it runs in the
	// transaction.
	Decide func(actor Member, member *Member) error
}

// A Membership is a conversation with its members, as the service caches it.
type Membership struct {
	Conversation Conversation
	Members      []Member // by UserID, without banned users and users with a request

	// Only for a direct conversation: its two users, and those of them for whom the
	// next message of the other counts as a first one.
	Pair   Pair    `json:"pair,omitzero"`
	Closed []int64 `json:"closed,omitempty"`

	ids []int64 // of Members: fan-out asks for them with every message
}

// UnmarshalJSON also restores the fields that are not in the JSON. A cache shared by
// nodes stores a Membership as JSON.
func (m *Membership) UnmarshalJSON(text []byte) error {
	type plain Membership // without this method
	var p plain
	if err := json.Unmarshal(text, &p); err != nil {
		return err
	}
	for i := range p.Members {
		p.Members[i].ConversationID = p.Conversation.ID
	}
	*m = Membership(p)
	m.ids = m.UserIDs()
	return nil
}

// Find returns the member with this userID, and whether there is one.
func (m Membership) Find(userID int64) (Member, bool) {
	i, ok := slices.BinarySearchFunc(m.Members, userID, func(a Member, id int64) int {
		return cmp.Compare(a.UserID, id)
	})
	if !ok {
		return Member{}, false
	}
	return m.Members[i], true
}

// UserIDs returns the members' ids. The caller must not change the slice.
func (m Membership) UserIDs() []int64 {
	if m.ids != nil {
		return m.ids
	}
	ids := make([]int64, len(m.Members))
	for i, member := range m.Members {
		ids[i] = member.UserID
	}
	return ids
}

// peer returns the other user of a direct conversation. In a note to self, it returns
// userID.
func (m Membership) peer(userID int64) int64 {
	if m.Pair != (Pair{}) {
		return m.Pair.Low + m.Pair.High - userID
	}
	for _, member := range m.Members {
		if member.UserID != userID {
			return member.UserID
		}
	}
	return userID
}

// A Pair identifies a direct conversation by its two users, the lower id first. For a
// note to self, both are the same.
type Pair struct{ Low, High int64 }

// PairOf returns the pair of two users.
func PairOf(a, b int64) Pair {
	return Pair{Low: min(a, b), High: max(a, b)}
}

// A Dialog is a conversation in a member's list.
type Dialog struct {
	Conversation
	Peer        *User    `json:"peer,omitempty"` // the other user of a direct conversation
	ReceiverID  int64    `json:"receiver_id,omitempty"`
	ChatID      int64    `json:"chat_id,omitempty"`
	LastMessage *Message `json:"last_message"`
	UnreadCount int64    `json:"unread_count"`
}

// A Target identifies a conversation as clients do: by ChatID, or a direct one by
// ReceiverID, the other user. Exactly one is set.
type Target struct {
	ChatID     int64 `json:"chat_id,omitempty"`
	ReceiverID int64 `json:"receiver_id,omitempty"`
}

func (t Target) check(what string) error {
	switch {
	case t.ChatID < 0 || t.ReceiverID < 0:
		return Errorf(KindInvalid, what, "chat_id and receiver_id must be positive numbers")
	case t.ChatID == 0 && t.ReceiverID == 0:
		return Errorf(KindInvalid, what, "chat_id or receiver_id is required")
	case t.ChatID != 0 && t.ReceiverID != 0:
		return Errorf(KindInvalid, what, "give chat_id or receiver_id, not both")
	}
	return nil
}

// names reports whether m was sent to t.
func (t Target) names(m Message) bool {
	if t.ChatID != 0 {
		return m.ConversationID == t.ChatID
	}
	return m.ReceiverID == t.ReceiverID
}
