package chat

import (
	"context"
	"time"
)

// A Store keeps accounts, sessions, conversations, messages and files. All methods are
// safe for concurrent use. What a method has stored is durable when it returns.
//
// The error is ErrNotFound if the row that a method is about does not exist, and
// ErrConflict if the row that it would add already exists. Every method may also return
// an [*Error] of kind Unavailable if the database cannot be reached, or the error of a
// context that has ended. With Unavailable nothing was stored, unless the error says
// that it may have been. An empty list is not an error.
//
// Package sqlstore implements Store; package sqlstore/storetest tests implementations.
type Store interface {
	UserStore
	RelationStore
	RequestStore
	SessionStore
	TwoFactorStore
	ConversationStore
	MessageStore
	SearchStore
	FileStore
	StaffStore
}

// UserStore keeps accounts.
type UserStore interface {
	// CreateUser stores u with its password hash, and returns it with its ID. The error
	// is ErrConflict if the phone number is taken, or a username with the same key (see
	// [Usernames]).
	CreateUser(ctx context.Context, u User, passwordHash string) (User, error)
	// UserByLogin returns the account with this phone number or username, whichever is
	// not empty. The error is ErrNotFound if there is none.
	UserByLogin(ctx context.Context, phone, username string) (Login, error)
	// LoginOf is UserByLogin for an id.
	LoginOf(ctx context.Context, userID int64) (Login, error)
	// Users returns the accounts with these ids, in the order of ids. It leaves out
	// unknown ids.
	Users(ctx context.Context, ids []int64) ([]User, error)
	// UpdateUser sets the fields of p that are not nil. Concurrent changes of other
	// fields are kept. The error is ErrNotFound if there is no such account.
	UpdateUser(ctx context.Context, userID int64, p Profile) error
	// SetLastSeen sets when users were last seen. It ignores users with a later time.
	SetLastSeen(ctx context.Context, userIDs []int64, at time.Time) error
	// DeleteUser deletes an account. The id and the time of creation stay, so that old
	// messages have a sender. In the same transaction it deletes relations and
	// credentials, and ends all sessions as EndSessions does. From then on nobody can
	// write to the account, call it or add it to groups. Leaving lists it until Left is
	// called. It returns the ids of the ended sessions. The error is ErrNotFound if the
	// account is already deleted or its epoch is not epoch, and ErrConflict if it is the
	// last super admin.
	DeleteUser(ctx context.Context, userID, epoch int64, at time.Time) (sessions []string, err error)
	// Leaving lists the deleted accounts with data that is still to be removed: those
	// for which Left was not called. They are sorted by id, and their ids are larger
	// than after.
	Leaving(ctx context.Context, after int64, limit int) ([]int64, error)
	// Left records that all data of a deleted account was removed.
	Left(ctx context.Context, userID int64) error
	// SilenceDirects closes direct conversations of a user: Append stores no more
	// messages in them. It does so for the first limit conversations with ids larger
	// than after, and returns their ids in order.
	SilenceDirects(ctx context.Context, userID, after int64, limit int) ([]int64, error)
	// EraseAlone removes the content and the file from up to limit messages in
	// conversations of userID whose members are all deleted accounts. more reports
	// whether to call it again.
	EraseAlone(ctx context.Context, userID int64, limit int, at time.Time) (more bool, err error)
	// SearchUsers returns accounts whose username or nickname contains q, ignoring
	// case, or whose phone number is q. An account with this phone number comes first.
	// The others are sorted by the part of the name that begins with q, so that pages
	// do not overlap. The cost must depend on offset and limit, but not on the number of
	// accounts.
	SearchUsers(ctx context.Context, q string, limit, offset int) ([]User, error)
}

// RelationStore keeps friendships and blocks. Changes between two users must be
// serialized, including the creation of their conversation.
type RelationStore interface {
	// Befriend stores that userID added friendID as a friend, and accepts the pending
	// requests of friendID to userID, except those into groups. It is idempotent. The
	// error is ErrBlocked if one has blocked the other.
	Befriend(ctx context.Context, userID, friendID int64, at time.Time) error
	// Unfriend ends a friendship, no matter who added whom. The next message of each to
	// the other counts as a first one: see EnsureDirect. The error is ErrNotFound if
	// they are not friends.
	Unfriend(ctx context.Context, userID, friendID int64) error
	// Block stores that userID has blocked otherID, ends their friendship, and deletes
	// the requests of otherID to userID. From then on Append stores no messages between
	// them in their direct conversation. It is idempotent. The error is ErrNotFound if
	// one has no account, and ErrConflict if userID has already blocked limit users.
	Block(ctx context.Context, userID, otherID int64, limit int, at time.Time) error
	// Unblock undoes Block, but does not restore the friendship. The error is
	// ErrNotFound if userID has not blocked otherID.
	Unblock(ctx context.Context, userID, otherID int64) error
	// Relation returns the relation of userID to otherID.
	Relation(ctx context.Context, userID, otherID int64) (Relation, error)
	// Friends lists the users whom userID added, and those who added userID, by id.
	Friends(ctx context.Context, userID int64, limit, offset int) ([]User, error)
	// FriendsAfter is Friends for ids larger than after. Unlike pages by offset, its
	// pages skip nobody if the list changes in between.
	FriendsAfter(ctx context.Context, userID, after int64, limit int) ([]User, error)
	// Blocked lists the users whom userID has blocked, by id.
	Blocked(ctx context.Context, userID int64, limit, offset int) ([]User, error)
	// Blocks returns the ids of the users whom userID has blocked, and of those who have
	// blocked userID.
	Blocks(ctx context.Context, userID int64) (Blocks, error)
	// AddedBy returns which of ids have added userID as a friend.
	AddedBy(ctx context.Context, userID int64, ids []int64) (map[int64]bool, error)
}

// RequestStore keeps privacy settings, and requests of strangers.
type RequestStore interface {
	// Privacy returns the settings of users. It leaves out users who have changed none.
	Privacy(ctx context.Context, userIDs []int64) (map[int64]Privacy, error)
	// SetPrivacy changes the fields of p that are not nil. The error is ErrNotFound if
	// there is no such account.
	SetPrivacy(ctx context.Context, userID int64, p PrivacyChange) error
	// Ask stores a request to add a user to a group or to call the user. If the same
	// request is already pending, it returns that one; made reports whether the request
	// is new. The error is ErrDeclined if the user has declined it before, ErrConflict
	// if the user already has limit pending requests, and ErrBlocked if one has blocked
	// the other.
	Ask(ctx context.Context, r Request, limit int) (_ Request, made bool, err error)
	// Requests lists the pending requests to userID, the newest first. Requests to write
	// have the last message of the conversation.
	Requests(ctx context.Context, userID int64, limit, offset int) ([]Request, error)
	// Request returns a pending request to userID. The error is ErrNotFound if there is
	// none with this id.
	Request(ctx context.Context, userID, id int64) (Request, error)
	// AcceptRequest accepts a request to write or to call, and does what Befriend does.
	// The error is ErrNotFound if it is no longer pending. A request into a group is
	// accepted by ChangeMember.
	AcceptRequest(ctx context.Context, r Request, at time.Time) error
	// DeclineRequest declines a request. From then on Ask returns ErrDeclined for it; if
	// it is one to write, Append stores no messages of r.FromID to r.UserID. The error
	// is ErrNotFound if it is no longer pending.
	DeclineRequest(ctx context.Context, r Request) error
}

// SessionStore keeps sessions. An account's epoch is a number that goes up when all its
// sessions end. A login that began before this has an old epoch and fails.
type SessionStore interface {
	// SetPassword sets a new password hash, deletes the trusted devices, and ends
	// sessions as EndSessions does, in one transaction. It returns the ids of the ended
	// sessions. The error is ErrNotFound if the account's epoch is no longer epoch.
	SetPassword(ctx context.Context, userID, epoch int64, hash, except string) (ids []string, err error)
	// CreateSession stores a session. The error is ErrNotFound if the account does not
	// exist or its epoch is no longer epoch.
	CreateSession(ctx context.Context, s Session, epoch int64) error
	// Session returns a session, even an expired one. The error is ErrNotFound if it
	// does not exist.
	Session(ctx context.Context, id string) (Session, error)
	// LiveSessions returns those of ids whose sessions exist, including expired ones, in
	// no particular order.
	LiveSessions(ctx context.Context, ids []string) ([]string, error)
	// RotateSession replaces the hash of the refresh token, and sets RotatedAt and
	// ExpiresAt. The error is ErrNotFound if the session does not exist or its hash is
	// not oldHash.
	RotateSession(ctx context.Context, id string, oldHash, newHash []byte, at, expires time.Time) error
	// DeleteSession deletes a session. It is idempotent.
	DeleteSession(ctx context.Context, id string) error
	// Sessions lists the sessions of a user, the newest first, including expired ones.
	Sessions(ctx context.Context, userID int64, limit, offset int) ([]Session, error)
	// EndSessions deletes all sessions of a user except the one with the id except (""
	// for none), and raises the account's epoch, so that logins in progress fail. It
	// returns the ids of the deleted sessions.
	EndSessions(ctx context.Context, userID int64, except string) (ids []string, err error)
	// DeleteExpiredSessions deletes up to limit sessions that expired before a time, the
	// oldest first, and returns their number.
	DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int, error)
}

// TwoFactorStore keeps the second factors of accounts, and trusted devices.
type TwoFactorStore interface {
	// TwoFactor returns the second factor of a user, active or not. The error is
	// ErrNotFound if there is none.
	TwoFactor(ctx context.Context, userID int64) (TwoFactor, error)
	// StartTwoFactor stores a secret that is not active yet. It replaces an earlier one.
	// The error is ErrConflict if an active one exists.
	StartTwoFactor(ctx context.Context, userID int64, secret []byte, at time.Time) error
	// ActivateTwoFactor activates the secret of StartTwoFactor, stores the backup codes,
	// and ends all sessions but a.Keep, as EndSessions does, in one transaction. Session
	// a.Keep gets SecondFactor. It returns the ids of the ended sessions. The error is
	// ErrNotFound if the secret is not a.Secret, or already active.
	ActivateTwoFactor(ctx context.Context, a TwoFactorStart) (ids []string, err error)
	// UseStep stores that the code of a time step was used. The error is ErrNotFound if
	// the code of this or a later step was used before, or no second factor is active.
	UseStep(ctx context.Context, userID, step int64) error
	// UseBackupCode deletes the backup code with this hash. The error is ErrNotFound if
	// there is none.
	UseBackupCode(ctx context.Context, userID int64, hash []byte) error
	// SetBackupCodes replaces all backup codes. The error is ErrNotFound if no second
	// factor is active.
	SetBackupCodes(ctx context.Context, userID int64, hashes [][]byte) error
	// StopTwoFactor deletes the active second factor, its backup codes and the trusted
	// devices, and ends sessions as EndSessions does, in one transaction. It returns the
	// ids of the ended sessions. The error is ErrNotFound if no second factor is active.
	StopTwoFactor(ctx context.Context, userID int64, except string) (ids []string, err error)

	// CreateTrustedSession does what CreateSession does, stores a trusted device of the
	// same user, and deletes the user's expired ones, in one transaction.
	CreateTrustedSession(ctx context.Context, s Session, d TrustedDevice, epoch int64) error
	// Device returns a trusted device, even an expired one. The error is ErrNotFound if
	// it does not exist.
	Device(ctx context.Context, id string) (TrustedDevice, error)
	// Devices lists a user's trusted devices, the newest first, including expired ones.
	Devices(ctx context.Context, userID int64, limit, offset int) ([]TrustedDevice, error)
	// DeleteDevice deletes a trusted device. The error is ErrNotFound if the user has no
	// device with this id.
	DeleteDevice(ctx context.Context, userID int64, id string) error
}

// ConversationStore keeps conversations and their members.
type ConversationStore interface {
	// EnsureDirect prepares the direct conversation of two users for a message of
	// o.From. It creates the conversation if it does not exist, and accepts the request
	// of o.To to o.From, if there is one. If o.Ask is set, it stores a request to o.To
	// unless o.To added o.From or already has the conversation; the conversation of a
	// former friend, or of one who was blocked since, counts as new. o.To is a member
	// once they accept. The error is ErrBlocked if one has blocked the other,
	// ErrDeclined if o.To has declined a request of o.From, and ErrConflict if o.To
	// already has o.Limit pending requests. Then nothing is stored.
	EnsureDirect(ctx context.Context, o Opening) (Opened, error)
	// FindDirect returns the id of the direct conversation of pair. The error is
	// ErrNotFound if there is none.
	FindDirect(ctx context.Context, pair Pair) (int64, error)
	// CreateGroup creates a group. members may contain duplicates and the owner. The
	// error is ErrNotFound if one of them has no account.
	CreateGroup(ctx context.Context, title string, owner int64, members []int64, at time.Time) (Conversation, error)
	// Membership returns a conversation with its members, without banned users. The
	// error is ErrNotFound if the conversation does not exist.
	Membership(ctx context.Context, conversationID int64) (Membership, error)
	// ChangeMember calls c.Decide to change a member, and stores the result, in one
	// transaction. Changes of the members of one conversation must be serialized. For a
	// new member, also one who was banned, all earlier messages count as read. If the
	// owner leaves, the admin who joined first becomes the owner, or else the member
	// who joined first. ChangeMember returns an error of Decide unchanged. The error is
	// ErrNotFound if the conversation or the account does not exist, or request
	// c.Request is not 0 and no longer pending, and ErrConflict if the group already has
	// c.Limit members. It settles the request.
	ChangeMember(ctx context.Context, c MemberChange) (Member, error)
	// RenameGroup changes the title of a group. It first calls decide with the actor's
	// membership, in the same transaction, and returns an error of decide unchanged. The
	// error is ErrNotFound if there is no such group.
	RenameGroup(ctx context.Context, id, actorID int64, title string, decide func(Member) error) error
	// DeleteGroup removes all members of a group, and returns their ids. Nobody can be
	// added again. It calls decide as RenameGroup does.
	DeleteGroup(ctx context.Context, id, actorID int64, decide func(Member) error) (members []int64, err error)
	// PurgeGroups deletes up to limit messages of deleted groups in one transaction.
	// more reports whether there may be more. Ids of messages must not be reused.
	PurgeGroups(ctx context.Context, limit int) (more bool, err error)
	// Groups lists the groups of userID with their member counts, the newest first.
	Groups(ctx context.Context, userID int64, limit, offset int) ([]Conversation, error)
	// Dialogs lists the conversations of userID with their last messages and unread
	// counts, the one with the newest message first, empty ones last. It does not set
	// Peer.
	Dialogs(ctx context.Context, userID int64, limit, offset int) ([]Dialog, error)
	// DialogsAfter lists the conversations with ids larger than after, by id. Unlike
	// those of Dialogs, its pages skip nothing if a message is sent in between.
	DialogsAfter(ctx context.Context, userID, after int64, limit int) ([]Dialog, error)
	// Contacts lists the users who share a conversation with userID, without those whom
	// userID has blocked.
	Contacts(ctx context.Context, userID int64, limit int) ([]int64, error)
}

// MessageStore keeps messages.
type MessageStore interface {
	// Append stores a batch in one transaction, and returns a result for each message,
	// in order. Within a conversation, messages get consecutive Seqs without gaps, in
	// the order of the batch. A message with a ClientMsgID that its sender has used
	// before is not stored again. If Append returns an error, nothing was stored, except
	// as described at Store.
	Append(ctx context.Context, batch []NewMessage) ([]Appended, error)
	// Advance moves marks forward, in one transaction. It limits marks to the last
	// message of the conversation, and ignores marks of users who are not members.
	Advance(ctx context.Context, marks []Mark) error
	// Receipts lists the members whose marks have reached a message, by id, possibly
	// with its sender. It leaves out members who joined at or after before.
	Receipts(ctx context.Context, conversationID, seq int64, before time.Time) ([]Receipt, error)
	// ReadUpTo returns up to which Seq conversations were read by other members than
	// userID. It leaves out members who have blocked userID.
	ReadUpTo(ctx context.Context, userID int64, conversations []int64) (map[int64]int64, error)
	// Message returns a message with its Status. The error is ErrNotFound if it does not
	// exist.
	Message(ctx context.Context, id int64) (Message, error)
	// Messages returns the messages that q selects, the newest first unless q.Ascending
	// is set, and their number without q.Limit and q.Offset. It only returns messages of
	// conversations that q.UserID is a member of.
	Messages(ctx context.Context, q MessageQuery) ([]Message, int64, error)
	// Since returns the places of messages with ids larger than id, of all
	// conversations, by id. Within a conversation, the order of ids may differ from that
	// of Seqs.
	Since(ctx context.Context, id int64, limit int) ([]MessagePlace, error)
	// MessageIDBefore returns the id of the last message created before a time, or 0 if
	// there is none. The result may be as inexact as the order of ids differs from that
	// of CreatedAt.
	MessageIDBefore(ctx context.Context, at time.Time) (int64, error)
	// EditMessage replaces the content of a message. The error is ErrNotFound if the
	// message was retracted, or if its sender may no longer write in the conversation,
	// so that Append would refuse a new message.
	EditMessage(ctx context.Context, id int64, content string, at time.Time) error
	// RetractMessage removes the content and the file of a message. recalled
	// distinguishes a recall from a deletion. The error is ErrNotFound if the message
	// was already retracted.
	RetractMessage(ctx context.Context, id int64, recalled bool, at time.Time) error
	// Unread counts the messages of others that userID has neither read nor hidden.
	Unread(ctx context.Context, userID int64) (int64, error)
	// HideMessage hides a message from userID: from then on Messages and Dialogs return
	// it without content (see Message.Blank), or not at all. done is false if it was
	// already hidden. The error is ErrNotFound if userID is not a member.
	HideMessage(ctx context.Context, userID, conversationID, seq int64) (done bool, err error)
	// ClearConversation hides all messages up to upTo, or all messages if upTo is 0, and
	// returns up to which Seq the conversation is now cleared. Dialogs leaves out a
	// conversation that is cleared up to its last message. done and the error are those
	// of HideMessage.
	ClearConversation(ctx context.Context, userID, conversationID, upTo int64) (cleared int64, done bool, err error)
	// Hidden reports whether a message is hidden from userID.
	Hidden(ctx context.Context, userID, conversationID, seq int64) (bool, error)
	// Hiders lists the users from whom a message is hidden, in no particular order.
	Hiders(ctx context.Context, conversationID, seq int64) ([]int64, error)
}

// SearchStore finds messages by their text.
type SearchStore interface {
	// SearchMessages returns the newest messages that q selects. It must limit the cost
	// of a call: see Found. It finds a message as soon as it is stored, and no longer
	// once it was retracted. The index only makes searches faster.
	SearchMessages(ctx context.Context, q MessageSearch) (Found, error)
	// IndexMessages indexes up to limit messages that were created before a time, and
	// are not indexed yet, the oldest first. It can be interrupted at any time, and
	// several nodes may call it at once.
	IndexMessages(ctx context.Context, before time.Time, limit int) (Indexed, error)
}

// FileStore keeps the metadata of uploaded files. Their bytes are in [Blobs].
type FileStore interface {
	// CreateFile stores f, and returns it with its ID. The error is ErrUserFull if it
	// would exceed the owner's quota, and ErrFull if it would exceed that of all users.
	CreateFile(ctx context.Context, f File, q Quota) (File, error)
	// FileBytes returns how many bytes the files of a user and of all users have.
	FileBytes(ctx context.Context, userID int64) (user, total int64, err error)
	// File returns a file. The error is ErrNotFound if it does not exist or was deleted.
	File(ctx context.Context, id int64) (File, error)
	// FilesAfter lists the files of a user with ids larger than after, by id, without
	// deleted ones.
	FilesAfter(ctx context.Context, userID, after int64, limit int) ([]File, error)
	// UnusedFiles examines up to limit files with ids larger than after. Of those that
	// were created before a time, it returns the ones that no message refers to, and
	// deleted ones with a key, whose bytes may still exist. last is the last id
	// examined, or 0 if there are no more files.
	UnusedFiles(ctx context.Context, after int64, before time.Time, limit int) (unused []File, last int64, err error)
	// DeleteFile deletes the row of a file. The error is ErrConflict if a message refers
	// to the file.
	DeleteFile(ctx context.Context, id int64) error
	// FilesOf lists the files of a user, the newest first, without deleted ones.
	FilesOf(ctx context.Context, userID int64, limit, offset int) ([]File, error)
	// FileConversations lists the ids of conversations that a file was sent to, in no
	// particular order.
	FileConversations(ctx context.Context, id int64, limit int) ([]int64, error)
	// MarkFileDeleted marks a file as deleted, so that File does not find it, and its
	// bytes no longer count for the quotas. Messages that refer to it get FileGone. The
	// error is ErrNotFound if it was already deleted.
	MarkFileDeleted(ctx context.Context, id int64) error
	// ForgetBytes records that the bytes of a deleted file were removed.
	ForgetBytes(ctx context.Context, id int64) error
	// MayRead reports whether userID uploaded the file, or is a member of a conversation
	// that it was sent to.
	MayRead(ctx context.Context, fileID, userID int64) (bool, error)
}

// StaffStore keeps roles, bans, reports, notices and the audit log.
type StaffStore interface {
	// ChangeStanding calls c.Decide to change the role or the ban of an account. It
	// stores the result, the audit entry and the other changes of c, in one transaction.
	// Changes of the same accounts, and of super admins, must be serialized. It returns
	// the account's new standing, and the ids of the ended sessions. It returns an error
	// of Decide unchanged. The error is ErrNotFound if there is no such account.
	ChangeStanding(ctx context.Context, c StandingChange) (after Standing, sessions []string, err error)
	// Ban returns the ban of an account, even one that is over. The error is ErrNotFound
	// if there is none.
	Ban(ctx context.Context, userID int64) (Ban, error)
	// RemoveMessage deletes a message as RetractMessage does, if r.Decide allows it, and
	// stores the audit entry in the same transaction. It returns an error of Decide
	// unchanged. The error is ErrNotFound if there is no such message, or if it is
	// already deleted.
	RemoveMessage(ctx context.Context, r Removal) error
	// RemoveGroup does the same with a group, as DeleteGroup does.
	RemoveGroup(ctx context.Context, r Removal) (members []int64, err error)
	// AddAudit adds an entry to the audit log. No method changes or deletes entries.
	AddAudit(ctx context.Context, e AuditEntry) error
	// Audit returns the entries that q selects, the newest first, and their number
	// without q.Limit and q.Offset. It counts up to q.Count. So do the other methods whose
	// query has a Count.
	Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, int64, error)
	// Numbers returns the counts of the whole server. It does not set Online and
	// UpdatedAt.
	Numbers(ctx context.Context, d Day) (Numbers, error)
	// Accounts returns the accounts that q selects, the newest first, and their number
	// without q.Limit and q.Offset.
	Accounts(ctx context.Context, q AccountQuery) ([]Account, int64, error)
	// Analysis counts messages, chats and reports of a user. It sets no other fields. It
	// must limit its cost: see Analysis.MoreMessages.
	Analysis(ctx context.Context, userID int64) (Analysis, error)
	// AllMessages returns messages of all users, the newest first. It must limit the
	// cost of a call: see Found.
	AllMessages(ctx context.Context, q ModerationQuery) (Found, error)
	// Chats returns the groups that q selects and that have members, the newest first,
	// and their number without q.Limit and q.Offset.
	Chats(ctx context.Context, q GroupQuery) ([]Conversation, int64, error)
	// CreateReport stores r. If the same report of the same reporter is already pending,
	// it returns that one; made reports whether the report is new. The error is
	// ErrConflict if the reporter already has most pending reports.
	CreateReport(ctx context.Context, r Report, most int) (_ Report, made bool, err error)
	// Report returns a report. The error is ErrNotFound if it does not exist.
	Report(ctx context.Context, id int64) (Report, error)
	// Reports returns the reports that q selects, and their number without q.Limit and
	// q.Offset.
	Reports(ctx context.Context, q ReportQuery) ([]Report, int64, error)
	// HandleReport closes a report, and stores the audit entry and the notice, in one
	// transaction. It returns the notice with its ID. The error is ErrConflict if the
	// report is already closed.
	HandleReport(ctx context.Context, h Handling) (Notice, error)
	// Backlog returns the work that waits on all nodes together. It must be cheap.
	Backlog(ctx context.Context) (Backlog, error)
	// AddNotice stores n and the audit entry in one transaction, and returns n with its
	// ID.
	AddNotice(ctx context.Context, n Notice, e AuditEntry) (Notice, error)
	// Notices returns the notices that a user has not received, the oldest first. It
	// leaves out those created before after or before the user's account.
	Notices(ctx context.Context, userID int64, after time.Time, limit int) ([]Notice, error)
	// MarkNotices stores that users have received the notices told. It skips a user for
	// whom an older notice, created after since, is still to be sent: the user gets both
	// again, in order.
	MarkNotices(ctx context.Context, userIDs []int64, told Told, since time.Time) error
}
