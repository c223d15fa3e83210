package chat

import (
	"time"
	"unicode/utf8"
)

// A MessageType is the type of a message's content.
type MessageType string

// The types of message. All except text have the FileID of an upload, or in Content the
// URL of something stored elsewhere.
const (
	TypeText  MessageType = "text"
	TypeImage MessageType = "image"
	TypeVideo MessageType = "video"
	TypeAudio MessageType = "audio"
	TypeFile  MessageType = "file"
)

// A Status is the status of a message for its sender. In a group a message is read when
// one other member has read it, and never delivered.
type Status string

// The statuses. Recalled takes precedence over edited, and edited over the others.
const (
	StatusSent      Status = "sent"
	StatusDelivered Status = "delivered"
	StatusRead      Status = "read"
	StatusEdited    Status = "edited"
	StatusRecalled  Status = "recalled"
)

// A Message is a message as members of its conversation see it. A deleted or recalled
// message keeps its ID and Seq, but has no Content and no file.
type Message struct {
	ID             int64       `json:"id"`
	ConversationID int64       `json:"-"`
	SenderID       int64       `json:"sender_id"`
	ReceiverID     int64       `json:"receiver_id,omitempty"` // in a direct conversation
	ChatID         int64       `json:"chat_id,omitempty"`     // in a group
	Seq            int64       `json:"seq"`                   // 1, 2, 3, … in its conversation
	Content        string      `json:"content"`
	Type           MessageType `json:"message_type"`
	Status         Status      `json:"status"`
	Edited         bool        `json:"is_edited"`
	Recalled       bool        `json:"is_recalled"`
	Deleted        bool        `json:"is_deleted"`
	Hidden         bool        `json:"is_hidden,omitempty"` // the reader deleted it only for themself; Deleted is also true
	ReplyToID      int64       `json:"reply_to_id,omitempty"`
	FileID         int64       `json:"file_id,omitempty"`
	FileGone       bool        `json:"file_gone,omitempty"` // its owner deleted the file
	ClientMsgID    string      `json:"client_msg_id,omitempty"`
	CreatedAt      time.Time   `json:"created_at"`
	UpdatedAt      time.Time   `json:"updated_at"`
	Sender         *User       `json:"sender,omitempty"`
}

// gone reports whether the message was recalled or deleted.
func (m Message) gone() bool { return m.Recalled || m.Deleted }

// Blank returns m without content and file, for a user who deleted it only for themself.
func (m Message) Blank() Message {
	return Message{
		ID: m.ID, ConversationID: m.ConversationID, SenderID: m.SenderID, ReceiverID: m.ReceiverID, ChatID: m.ChatID, Seq: m.Seq,
		Type: m.Type, Status: m.Status, Deleted: true, Hidden: true, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
}

// A Draft is a message that a client sends.
type Draft struct {
	Target
	Content     string      `json:"content"`
	Type        MessageType `json:"message_type"`  // empty: text
	ReplyToID   int64       `json:"reply_to_id"`   // 0: none
	FileID      int64       `json:"file_id"`       // 0: none
	ClientMsgID string      `json:"client_msg_id"` // optional; unique for the sender, so that a retry is not stored again
}

const (
	notSent        = "message not sent"
	maxClientMsgID = 128
)

// check sets the default type, and returns an error if the draft is not valid in any
// conversation.
func (d *Draft) check(maxContent int) error {
	if err := d.Target.check(notSent); err != nil {
		return err
	}
	if d.Type == "" {
		d.Type = TypeText
	}
	switch d.Type {
	case TypeText:
		if d.Content == "" {
			return Errorf(KindInvalid, notSent, "content is empty")
		}
		if d.FileID != 0 {
			return Errorf(KindInvalid, notSent, "a text cannot have a file_id: use message_type image, video, audio or file")
		}
	case TypeImage, TypeVideo, TypeAudio, TypeFile:
		if d.FileID == 0 && d.Content == "" {
			return Errorf(KindInvalid, notSent, "a message of type %s needs the file_id of an upload", d.Type)
		}
	default:
		return Errorf(KindInvalid, notSent, "message_type must be text, image, video, audio or file")
	}
	return d.checkFields(maxContent)
}

func (d *Draft) checkFields(maxContent int) error {
	switch {
	case len(d.Content) > maxContent:
		return Errorf(KindTooLarge, notSent, "content has %d bytes, at most %d are allowed", len(d.Content), maxContent)
	case !utf8.ValidString(d.Content):
		return Errorf(KindInvalid, notSent, "content is not valid UTF-8")
	case len(d.ClientMsgID) > maxClientMsgID:
		return Errorf(KindInvalid, notSent, "client_msg_id can have at most %d bytes", maxClientMsgID)
	case !utf8.ValidString(d.ClientMsgID):
		return Errorf(KindInvalid, notSent, "client_msg_id is not valid UTF-8")
	case d.ReplyToID < 0 || d.FileID < 0:
		return Errorf(KindInvalid, notSent, "reply_to_id and file_id must be positive numbers")
	}
	return nil
}

// A MessagePlace is the position of a message, and its time.
type MessagePlace struct {
	ID             int64
	ConversationID int64
	Seq            int64
	CreatedAt      time.Time
}

// A NewMessage is a message for the store.
type NewMessage struct {
	ConversationID int64
	SenderID       int64
	ReceiverID     int64 // of a direct message, whose store may not look it up; 0 in a group
	Content        string
	Type           MessageType
	ReplyToID      int64
	FileID         int64
	ClientMsgID    string // empty: never a duplicate
	CreatedAt      time.Time
}

// Appended is the result for one NewMessage.
type Appended struct {
	Message   Message
	Duplicate bool  // a message of the sender with this ClientMsgID was already stored: it is Message
	Err       error // ErrNotFound: the sender is not a member, or muted; ErrNoFile: the file was deleted
}

// A Mark records up to which Seq a user has received and read a conversation. Marks never
// move backward.
type Mark struct {
	ConversationID int64
	UserID         int64
	Read           int64 // the user has read messages up to this Seq; 0: unchanged
	Delivered      int64 // a socket of the user got messages up to this Seq; 0: unchanged
	At             time.Time
}

// A Receipt records that a member has received or read a message. Its times are upper
// bounds: only the time of a mark's last move is stored, and the mark may have moved past
// the message. A zero time is unknown.
type Receipt struct {
	UserID      int64
	Read        bool // false: only delivered
	ReadAt      time.Time
	DeliveredAt time.Time
}

// A MessageQuery selects messages that UserID may see.
type MessageQuery struct {
	UserID         int64
	ConversationID int64 // 0: every conversation of the user
	Ascending      bool  // in the order of Seq; needs ConversationID
	AfterSeq       int64 // with Ascending: messages after this Seq
	BeforeSeq      int64 // without Ascending: messages before this Seq; 0: from the last one; needs ConversationID
	Limit, Offset  int
	Whole          bool // with the content of messages that UserID has hidden
}

// A MessageSearch selects messages of UserID's conversations by their text, without those
// that UserID has hidden.
type MessageSearch struct {
	UserID         int64
	ConversationID int64  // 0: every conversation of the user
	Text           string // words that the message must all contain, ignoring case and width
	BeforeID       int64  // messages with smaller ids; 0: from the newest
	Limit          int
}

// Found is the result of a search, the newest message first. If Next is not 0, there may
// be more messages: continue with it as BeforeID. A search ends early when it has done as
// much work as one call may cost. Then Next is not 0, and Messages has fewer than Limit
// messages, or none.
type Found struct {
	Messages []Message
	Next     int64
}

// Indexed is the result of one step of indexing.
type Indexed struct {
	Messages  int  // messages examined
	More      bool // some of the following messages can be indexed now
	Overtaken bool // another node did the same step at the same time
}

// A Page is a page of a list of messages. Total is the number of messages in the list.
type Page struct {
	Messages []Message
	Total    int64
	Limit    int
	Offset   int
	HasMore  bool
}
