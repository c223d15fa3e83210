package chat

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// ConversationKind tells a one-to-one conversation from a group.
type ConversationKind string

// The kinds of conversation. A note to self is a direct one with one member.
const (
	Direct ConversationKind = "direct"
	Group  ConversationKind = "group"
)

// A Conversation is where messages are ordered: Seq of its last message is
// LastSeq, and the first message has Seq 1.
type Conversation struct {
	ID        int64            `json:"id"`
	Kind      ConversationKind `json:"type"`
	Title     string           `json:"title"`
	OwnerID   int64            `json:"owner_id,omitempty"`
	LastSeq   int64            `json:"last_seq"`
	CreatedAt time.Time        `json:"created_at"`

	MemberCount int      `json:"member_count,omitempty"`
	Members     []Member `json:"members,omitempty"`
	Invited     []int64  `json:"invited,omitempty"` // who were asked when it was made, and are no members until they accept
}

// A Role is what a member may do in a group.
type Role string

// Roles in a group, from the one who made it down.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
)

// A Member is a user's place in a conversation. A banned one is none, and is
// remembered so that nobody adds them again by mistake.
type Member struct {
	ConversationID int64     `json:"-"`
	UserID         int64     `json:"user_id"`
	Role           Role      `json:"role"`
	Muted          bool      `json:"muted"`
	Banned         bool      `json:"banned,omitempty"`
	Invited        bool      `json:"invited,omitempty"` // asked, and no member until he accepts
	JoinedAt       time.Time `json:"joined_at"`
	User           *User     `json:"user,omitempty"`
}

// in tells whether m is a member.
func (m Member) in() bool { return m.Role != "" && !m.Banned }

// A MemberChange is what one member does to another, or to himself.
type MemberChange struct {
	ConversationID  int64
	ActorID, UserID int64 // who does it, and to whom
	Limit           int   // members at most; 0: any number
	Request         int64 // of UserID's, that this accepts; 0: none

	// Decide changes member, or refuses. It is given both as they are in the
	// transaction: who is not there, and was not banned, has no Role, and whom it
	// leaves without one goes. It may be called more than once, and does nothing
	// else: others wait for it.
	Decide func(actor Member, member *Member) error
}

// Membership is what the service caches of a conversation: who is in it, and
// what fan-out needs to know of it.
type Membership struct {
	Conversation Conversation
	Members      []Member // by UserID, those left out who are banned, or asked

	// Of a direct one: whose it is, and for whom the next message of the other is
	// as good as a first one.
	Pair   Pair    `json:"pair,omitzero"`
	Closed []int64 `json:"closed,omitempty"`

	ids []int64 // of Members: fan-out asks for them with every message
}

// UnmarshalJSON restores what a Membership does not write: a cache of several
// nodes keeps it as JSON, and what comes back is what was loaded.
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

// Find returns the member that userID is.
func (m Membership) Find(userID int64) (Member, bool) {
	i, ok := slices.BinarySearchFunc(m.Members, userID, func(a Member, id int64) int {
		return cmp.Compare(a.UserID, id)
	})
	if !ok {
		return Member{}, false
	}
	return m.Members[i], true
}

// UserIDs lists the members' ids. The caller does not change the list.
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

// peer returns the other side of a direct conversation, or the user himself in
// a note to self.
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

// A Pair names a direct conversation by its two users, Low first; both are
// the same user in a note to self.
type Pair struct{ Low, High int64 }

// PairOf puts two users in order.
func PairOf(a, b int64) Pair {
	return Pair{Low: min(a, b), High: max(a, b)}
}

// A Dialog is one conversation as its member sees it in a list.
type Dialog struct {
	Conversation
	Peer        *User    `json:"peer,omitempty"` // the other side, in a direct one
	ReceiverID  int64    `json:"receiver_id,omitempty"`
	ChatID      int64    `json:"chat_id,omitempty"`
	LastMessage *Message `json:"last_message"`
	UnreadCount int64    `json:"unread_count"`
}

// A Target names a conversation as clients do: a group or direct conversation
// by ChatID, or a direct one by the other user. Exactly one is set.
type Target struct {
	ChatID     int64 `json:"chat_id,omitempty"`
	ReceiverID int64 `json:"receiver_id,omitempty"`
}

func (t Target) check(what string) error {
	switch {
	case t.ChatID < 0 || t.ReceiverID < 0:
		return Errorf(KindInvalid, what, "chat_id and receiver_id are positive numbers")
	case t.ChatID == 0 && t.ReceiverID == 0:
		return Errorf(KindInvalid, what, "chat_id or receiver_id is required")
	case t.ChatID != 0 && t.ReceiverID != 0:
		return Errorf(KindInvalid, what, "give chat_id or receiver_id, not both")
	}
	return nil
}

// names tells whether m went to t.
func (t Target) names(m Message) bool {
	if t.ChatID != 0 {
		return m.ConversationID == t.ChatID
	}
	return m.ReceiverID == t.ReceiverID
}
