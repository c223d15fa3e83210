package chat

import "time"

// EventType is the type of the frame that an event becomes.
type EventType string

// The events that reach clients.
const (
	EventMessageNew    EventType = "message.new"
	EventMessageEdit   EventType = "message.edit"
	EventMessageDelete EventType = "message.delete"
	EventMessageRecall EventType = "message.recall"
	EventMessageRead   EventType = "message.read"
	// EventMessageDelivered is gathered: of several messages, it has the last.
	EventMessageDelivered EventType = "message.delivered"
	EventFileDelete       EventType = "file.delete"
	EventDialogDelete     EventType = "dialog.delete"
	EventTyping           EventType = "typing"
	EventPresence         EventType = "presence"
	EventChatUpdate       EventType = "chat.update"
	EventUserUpdate       EventType = "user.update"
	EventRequest          EventType = "request"
	EventRequestUpdate    EventType = "request.update"

	// EventSessionEnded reaches no client: the connections of Event.Session are
	// closed, or, where that is empty, those of Event.To whose sessions have ended,
	// as EndedSessions says.
	EventSessionEnded EventType = "session.ended"
)

// An Event is something that the connections of some users are told. It is
// encoded once for all of them.
type Event struct {
	Type     EventType `json:"type"`
	To       []int64   `json:"to"`                 // users; each connection of each gets it
	Everyone bool      `json:"everyone,omitempty"` // every connection gets it, and To says nothing
	Except   uint64    `json:"except,omitempty"`   // but not this connection, which caused it
	Only     uint64    `json:"only,omitempty"`     // or this one alone, on whichever node it is
	Payload  any       `json:"payload"`            // one of the structs below, or their JSON
	At       time.Time `json:"at"`                 // when the cause was accepted: delivery delay counts from here

	// Of EventMessageNew: what keeps messages in order, none missing, none twice.
	ConversationID int64 `json:"conversation_id,omitempty"`
	Seq            int64 `json:"seq,omitempty"`
	MessageID      int64 `json:"message_id,omitempty"`
	From           int64 `json:"from,omitempty"`
	// Receipt asks for [Service.Delivered] once a socket of a user other than
	// From was written: in direct conversations and small groups.
	Receipt bool `json:"receipt,omitempty"`

	Session string `json:"session,omitempty"` // of EventSessionEnded; empty: it is not known which
	Reason  string `json:"reason,omitempty"`  // and why, for who used it; empty: no more is known
	Call    string `json:"call,omitempty"`    // of what calls tell
	Trace   string `json:"trace,omitempty"`   // of what caused it; see Tracer
}

// MessageNew tells of a message.
type MessageNew struct {
	Message FrameMessage `json:"message"`
	Chat    FrameChat    `json:"chat"`
	Sender  FrameSender  `json:"sender"`
}

// FrameChat is as much of a conversation as it takes to show a message. More is
// asked for once, and not told with every message.
type FrameChat struct {
	ID    int64            `json:"id"`
	Kind  ConversationKind `json:"kind"`
	Title string           `json:"title,omitempty"`
}

// FrameSender is as much of an account as it takes to show a message.
type FrameSender struct {
	ID       int64  `json:"id"`
	Username string `json:"username,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Avatar   string `json:"avatar,omitempty"`
}

func senderOf(u User) FrameSender {
	return FrameSender{ID: u.ID, Username: u.Username, Nickname: u.Nickname, Avatar: u.Avatar}
}

// A FrameMessage is a message as frames tell it.
type FrameMessage struct {
	Message
	Deleted bool         `json:"is_deleted,omitempty"` // in place of the Message's; hardly ever true
	Sender  *FrameSender `json:"sender,omitempty"`     // and this
}

// InFrame returns m for a frame.
func InFrame(m Message) FrameMessage {
	f := FrameMessage{Message: m, Deleted: m.Deleted}
	if m.Sender != nil {
		sender := senderOf(*m.Sender)
		f.Sender = &sender
	}
	return f
}

// MessageEdited tells of new content.
type MessageEdited struct {
	Message FrameMessage `json:"message"`
}

// MessageGone tells that a message was deleted or recalled.
type MessageGone struct {
	MessageID  int64      `json:"message_id"`
	Seq        int64      `json:"seq"`
	ChatID     int64      `json:"chat_id,omitempty"`
	SenderID   int64      `json:"sender_id"`
	ReceiverID int64      `json:"receiver_id,omitempty"`
	DeletedBy  int64      `json:"deleted_by,omitempty"`
	DeletedAt  *time.Time `json:"deleted_at,omitempty"`
	RecalledBy int64      `json:"recalled_by,omitempty"`
	RecalledAt *time.Time `json:"recalled_at,omitempty"`
	For        string     `json:"for,omitempty"` // ForMe: the reader of the frame deleted it for himself
}

// DialogDeleted tells that its reader deleted a conversation for himself, up to
// a Seq.
type DialogDeleted struct {
	ChatID     int64     `json:"chat_id,omitempty"`
	ReceiverID int64     `json:"receiver_id,omitempty"`
	UpToSeq    int64     `json:"up_to_seq"`
	DeletedAt  time.Time `json:"deleted_at"`
}

// MessageRead tells that ReadBy has read up to a message.
type MessageRead struct {
	MessageID  int64     `json:"message_id"`
	Seq        int64     `json:"seq"`
	ChatID     int64     `json:"chat_id,omitempty"`
	SenderID   int64     `json:"sender_id"`
	ReceiverID int64     `json:"receiver_id,omitempty"`
	ReadBy     int64     `json:"read_by"`
	ReadAt     time.Time `json:"read_at"`
}

// MessageDelivered tells the sender that DeliveredTo has got his messages of a
// direct conversation up to a Seq.
type MessageDelivered struct {
	Seq         int64     `json:"seq"`
	SenderID    int64     `json:"sender_id"`
	ReceiverID  int64     `json:"receiver_id"`
	DeliveredTo int64     `json:"delivered_to"`
	DeliveredAt time.Time `json:"delivered_at"`
}

// FileGone tells those that a file was sent to that its owner deleted it.
type FileGone struct {
	FileID    int64     `json:"file_id"`
	DeletedBy int64     `json:"deleted_by"`
	DeletedAt time.Time `json:"deleted_at"`
}

// TypingChanged tells that UserID began or stopped typing. In a direct
// conversation ReceiverID is the reader of the frame.
type TypingChanged struct {
	UserID     int64 `json:"user_id"`
	ChatID     int64 `json:"chat_id,omitempty"`
	ReceiverID int64 `json:"receiver_id,omitempty"`
	IsTyping   bool  `json:"is_typing"`
}

// A RelationChange is what somebody did about another user.
type RelationChange string

// What people do about each other.
const (
	RelationBlocked    RelationChange = "blocked"
	RelationUnblocked  RelationChange = "unblocked"
	RelationUnfriended RelationChange = "unfriended"
)

// UserUpdated tells a user's devices what he did about UserID.
type UserUpdated struct {
	UserID int64          `json:"user_id"`
	Change RelationChange `json:"change"`
}

// PresenceChanged tells that UserID came or went. LastSeen is the zero time where
// its reader may not know.
type PresenceChanged struct {
	UserID   int64     `json:"user_id"`
	IsOnline bool      `json:"is_online"`
	LastSeen time.Time `json:"last_seen"`
}
