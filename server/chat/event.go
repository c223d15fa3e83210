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
	// EventMessageDelivered is sent once for several messages. It has the Seq of the last.
	EventMessageDelivered EventType = "message.delivered"
	EventFileDelete       EventType = "file.delete"
	EventDialogDelete     EventType = "dialog.delete"
	EventTyping           EventType = "typing"
	EventPresence         EventType = "presence"
	EventChatUpdate       EventType = "chat.update"
	EventUserUpdate       EventType = "user.update"
	EventRequest          EventType = "request"
	EventRequestUpdate    EventType = "request.update"

	// EventSessionEnded is not sent to clients. It closes the connections of
	// Event.Session or, if that is empty, those of Event.To whose sessions have
	// ended (see EndedSessions).
	EventSessionEnded EventType = "session.ended"
)

// An Event is sent to all connections of some users. It is encoded once for all of them.
type Event struct {
	Type     EventType `json:"type"`
	To       []int64   `json:"to"`                 // users who get it, on all their connections
	Everyone bool      `json:"everyone,omitempty"` // every connection gets it; To is ignored
	Except   uint64    `json:"except,omitempty"`   // a connection that does not get it, because it caused it
	Only     uint64    `json:"only,omitempty"`     // only this connection gets it, on any node
	Payload  any       `json:"payload"`            // one of the structs below, or their JSON
	At       time.Time `json:"at"`                 // when its cause was accepted; delivery times are measured from here

	// Only for EventMessageNew: they keep messages in order, without gaps and duplicates.
	ConversationID int64 `json:"conversation_id,omitempty"`
	Seq            int64 `json:"seq,omitempty"`
	MessageID      int64 `json:"message_id,omitempty"`
	From           int64 `json:"from,omitempty"`
	// Receipt asks the receiver of the event to call [Service.Delivered] once it was
	// written to a socket of a user other than From: in direct conversations and
	// small groups.
	Receipt bool `json:"receipt,omitempty"`

	Session string `json:"session,omitempty"` // only for EventSessionEnded; empty: unknown
	Reason  string `json:"reason,omitempty"`  // only for EventSessionEnded: why, for the user; empty: unknown
	Call    string `json:"call,omitempty"`    // id of the call, for events of package call
	Trace   string `json:"trace,omitempty"`   // carrier of the span that caused it; see Tracer
}

// MessageNew is the payload of EventMessageNew.
type MessageNew struct {
	Message FrameMessage `json:"message"`
	Chat    FrameChat    `json:"chat"`
	Sender  FrameSender  `json:"sender"`
}

// A FrameChat is the part of a conversation that clients need to show a message. They
// request the rest once.
type FrameChat struct {
	ID    int64            `json:"id"`
	Kind  ConversationKind `json:"kind"`
	Title string           `json:"title,omitempty"`
}

// A FrameSender is the part of an account that clients need to show a message.
type FrameSender struct {
	ID       int64  `json:"id"`
	Username string `json:"username,omitempty"`
	Nickname string `json:"nickname,omitempty"`
	Avatar   string `json:"avatar,omitempty"`
}

func senderOf(u User) FrameSender {
	return FrameSender{ID: u.ID, Username: u.Username, Nickname: u.Nickname, Avatar: u.Avatar}
}

// A FrameMessage is a message in the form of frames.
type FrameMessage struct {
	Message
	Deleted bool         `json:"is_deleted,omitempty"` // replaces Message.Deleted, which is in JSON even if false
	Sender  *FrameSender `json:"sender,omitempty"`     // replaces Message.Sender
}

// InFrame returns m in the form of frames.
func InFrame(m Message) FrameMessage {
	f := FrameMessage{Message: m, Deleted: m.Deleted}
	if m.Sender != nil {
		sender := senderOf(*m.Sender)
		f.Sender = &sender
	}
	return f
}

// MessageEdited says that a message has new content.
type MessageEdited struct {
	Message FrameMessage `json:"message"`
}

// MessageGone says that a message was deleted or recalled.
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
	For        string     `json:"for,omitempty"` // ForMe: the receiver of the frame deleted it only for themself
}

// DialogDeleted says that the receiver of the frame deleted a conversation only for
// themself, up to a Seq.
type DialogDeleted struct {
	ChatID     int64     `json:"chat_id,omitempty"`
	ReceiverID int64     `json:"receiver_id,omitempty"`
	UpToSeq    int64     `json:"up_to_seq"`
	DeletedAt  time.Time `json:"deleted_at"`
}

// MessageRead says that ReadBy has read a conversation up to a message.
type MessageRead struct {
	MessageID  int64     `json:"message_id"`
	Seq        int64     `json:"seq"`
	ChatID     int64     `json:"chat_id,omitempty"`
	SenderID   int64     `json:"sender_id"`
	ReceiverID int64     `json:"receiver_id,omitempty"`
	ReadBy     int64     `json:"read_by"`
	ReadAt     time.Time `json:"read_at"`
}

// MessageDelivered tells a sender that DeliveredTo has received the messages of a direct
// conversation up to a Seq.
type MessageDelivered struct {
	Seq         int64     `json:"seq"`
	SenderID    int64     `json:"sender_id"`
	ReceiverID  int64     `json:"receiver_id"`
	DeliveredTo int64     `json:"delivered_to"`
	DeliveredAt time.Time `json:"delivered_at"`
}

// FileGone tells the members of conversations with a file that its owner deleted it.
type FileGone struct {
	FileID    int64     `json:"file_id"`
	DeletedBy int64     `json:"deleted_by"`
	DeletedAt time.Time `json:"deleted_at"`
}

// TypingChanged says that UserID began or stopped typing. In a direct conversation,
// ReceiverID is the receiver of the frame.
type TypingChanged struct {
	UserID     int64 `json:"user_id"`
	ChatID     int64 `json:"chat_id,omitempty"`
	ReceiverID int64 `json:"receiver_id,omitempty"`
	IsTyping   bool  `json:"is_typing"`
}

// A RelationChange is a change of a user's relation to another one.
type RelationChange string

// The changes of relations.
const (
	RelationBlocked    RelationChange = "blocked"
	RelationUnblocked  RelationChange = "unblocked"
	RelationUnfriended RelationChange = "unfriended"
)

// UserUpdated tells a user's devices that the user's relation to UserID has changed.
type UserUpdated struct {
	UserID int64          `json:"user_id"`
	Change RelationChange `json:"change"`
}

// PresenceChanged says that UserID came online or went offline. LastSeen is zero if the
// receiver may not know it.
type PresenceChanged struct {
	UserID   int64     `json:"user_id"`
	IsOnline bool      `json:"is_online"`
	LastSeen time.Time `json:"last_seen"`
}
