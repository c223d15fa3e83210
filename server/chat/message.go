package chat

import (
	"time"
	"unicode/utf8"
)

// MessageType is what a message carries.
type MessageType string

// The types of message. All but text carry the FileID of an upload, or in
// Content the address of something kept elsewhere.
const (
	TypeText  MessageType = "text"
	TypeImage MessageType = "image"
	TypeVideo MessageType = "video"
	TypeAudio MessageType = "audio"
	TypeFile  MessageType = "file"
)

// Status is how far a message has come, as far as its sender is concerned. In
// a group it is read once anyone else has read it, and never merely delivered.
type Status string

// The statuses. Recalled hides edited, and edited hides the rest.
const (
	StatusSent      Status = "sent"
	StatusDelivered Status = "delivered"
	StatusRead      Status = "read"
	StatusEdited    Status = "edited"
	StatusRecalled  Status = "recalled"
)

// A Message is one message as members of its conversation see it. One that was
// deleted or recalled keeps its ID and Seq, and has no Content and no file.
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
	Hidden         bool        `json:"is_hidden,omitempty"` // its reader deleted it for himself; Deleted is true, too
	ReplyToID      int64       `json:"reply_to_id,omitempty"`
	FileID         int64       `json:"file_id,omitempty"`
	FileGone       bool        `json:"file_gone,omitempty"` // its owner deleted the file
	ClientMsgID    string      `json:"client_msg_id,omitempty"`
	CreatedAt      time.Time   `json:"created_at"`
	UpdatedAt      time.Time   `json:"updated_at"`
	Sender         *User       `json:"sender,omitempty"`
}

// gone tells whether the content was taken back.
func (m Message) gone() bool { return m.Recalled || m.Deleted }

// Blank returns m as somebody sees it who deleted it for himself: its place.
func (m Message) Blank() Message {
	return Message{
		ID: m.ID, ConversationID: m.ConversationID, SenderID: m.SenderID, ReceiverID: m.ReceiverID, ChatID: m.ChatID, Seq: m.Seq,
		Type: m.Type, Status: m.Status, Deleted: true, Hidden: true, CreatedAt: m.CreatedAt, UpdatedAt: m.UpdatedAt,
	}
}

// A Draft is a message as a client writes it.
type Draft struct {
	Target
	Content     string      `json:"content"`
	Type        MessageType `json:"message_type"` // text when empty
	ReplyToID   int64       `json:"reply_to_id"`
	FileID      int64       `json:"file_id"`
	ClientMsgID string      `json:"client_msg_id"` // unique per sender; a retry with it stores once, and another message is refused
}

const (
	notSent        = "message not sent"
	maxClientMsgID = 128
)

// check puts the default type in and refuses what no conversation would take.
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

// A MessagePlace says where a message is, and since when.
type MessagePlace struct {
	ID             int64
	ConversationID int64
	Seq            int64
	CreatedAt      time.Time
}

// A NewMessage is a checked draft on its way into the store.
type NewMessage struct {
	ConversationID int64
	SenderID       int64
	ReceiverID     int64 // 0 in a group
	Content        string
	Type           MessageType
	ReplyToID      int64
	FileID         int64
	ClientMsgID    string // "" : never a duplicate
	CreatedAt      time.Time
}

// Appended is what became of one NewMessage.
type Appended struct {
	Message   Message
	Duplicate bool  // the sender's ClientMsgID was stored before; Message is that one
	Err       error // ErrNotFound: the sender is not, or no longer, an unmuted member
}

// A Mark says how far a user has come in a conversation; a mark never goes back.
type Mark struct {
	ConversationID int64
	UserID         int64
	Read           int64 // Seq up to which the user has read; 0 leaves it
	Delivered      int64 // Seq up to which a socket of the user was written; 0 leaves it
	At             time.Time
}

// A Receipt is how far a message has come with one member. Of the marks only the
// last move is kept: where a mark is further by now, its time is that at which the
// member was so far at the latest. A zero time is not known.
type Receipt struct {
	UserID      int64
	Read        bool // and else delivered
	ReadAt      time.Time
	DeliveredAt time.Time
}

// A MessageQuery selects messages that UserID may see.
type MessageQuery struct {
	UserID         int64
	ConversationID int64 // 0: every conversation of the user
	Ascending      bool  // by Seq upward from AfterSeq; only within one conversation
	AfterSeq       int64
	BeforeSeq      int64 // downward from the message before it; 0: from the last; only within one conversation
	Limit, Offset  int
	Whole          bool // with what UserID deleted for himself
}

// A MessageSearch selects messages of UserID's conversations by their text, those
// that he deleted for himself left out.
type MessageSearch struct {
	UserID         int64
	ConversationID int64  // 0: every conversation of the user
	Text           string // words, each of which the text contains, ignoring case and width
	BeforeID       int64  // messages before it; 0: from the last
	Limit          int
}

// Found is what a search found, newest first. Where Next is not 0, there may be
// more: it is the BeforeID to go on with, also where Messages has fewer than
// Limit, or none: then the search was given up for a while.
type Found struct {
	Messages []Message
	Next     int64
}

// Indexed is what one step of indexing has done.
type Indexed struct {
	Messages  int   // that it looked at
	Behind    int64 // about how many there are after those, some of them too new
	More      bool  // of those, some are old enough
	Overtaken bool  // another node did the same at the same time
}

// A Page is part of a list. Total counts the whole of it.
type Page struct {
	Messages []Message
	Total    int64
	Limit    int
	Offset   int
	HasMore  bool
}
