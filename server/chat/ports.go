package chat

import (
	"context"
	"io"
	"time"
)

// A Store keeps accounts, sessions, conversations, messages and files. Every
// method is safe for concurrent use, and what it has stored when it returns is
// durable. A row that is not there is ErrNotFound, one that would be there
// twice ErrConflict; an [*Error] of KindUnavailable means the database is away,
// and nothing was stored unless the error says that it may have been.
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

// UserStore keeps accounts and who befriended whom.
type UserStore interface {
	// CreateUser stores u and its password hash and returns it with its ID.
	// ErrConflict: the phone or the username is taken; of usernames, all that
	// have one key.
	CreateUser(ctx context.Context, u User, passwordHash string) (User, error)
	// UserByLogin finds an account by its phone or its username (whichever is
	// not empty), and what it takes to log in.
	UserByLogin(ctx context.Context, phone, username string) (Login, error)
	// LoginOf is UserByLogin by the id.
	LoginOf(ctx context.Context, userID int64) (Login, error)
	// Users returns the accounts of ids, in that order, unknown ones left out.
	Users(ctx context.Context, ids []int64) ([]User, error)
	// UpdateUser puts in what of p is not nil, and leaves the rest to others who
	// do the same. ErrNotFound: there is no such account.
	UpdateUser(ctx context.Context, userID int64, p Profile) error
	// SetLastSeen notes when users were last here; an earlier time goes for nothing.
	SetLastSeen(ctx context.Context, userIDs []int64, at time.Time) error
	// DeleteUser makes an account that is gone of one: nothing but its ID, and when it
	// was made, stays; relations and what it takes to log in are deleted, and it does as
	// EndSessions does, in one transaction. Nobody begins anything with it from then
	// on. Leaving lists it until Left. ErrNotFound: its epoch is not the one given any
	// more, or it is gone; ErrConflict: it is the last super admin.
	DeleteUser(ctx context.Context, userID, epoch int64, at time.Time) (sessions []string, err error)
	// Leaving lists accounts after an id that DeleteUser deleted and Left does not know of,
	// by id.
	Leaving(ctx context.Context, after int64, limit int) ([]int64, error)
	// Left notes that nothing is left to do for a deleted account.
	Left(ctx context.Context, userID int64) error
	// SilenceDirects has Append store no message in the one-to-one conversations of a
	// user that come after an id, limit at most, and returns theirs in order.
	SilenceDirects(ctx context.Context, userID, after int64, limit int) ([]int64, error)
	// EraseAlone takes content and file away from up to limit messages of
	// conversations of which no account is left, one that userID was in; more: call
	// it again.
	EraseAlone(ctx context.Context, userID int64, limit int, at time.Time) (more bool, err error)
	// SearchUsers finds accounts whose username or nickname contains q
	// (ignoring case), or whose phone is q. Pages of one search follow each other:
	// whom the phone finds comes first, the others by what follows q in the name.
	// Its cost grows with offset and limit, and not with the number of accounts.
	SearchUsers(ctx context.Context, q string, limit, offset int) ([]User, error)
}

// RelationStore keeps who befriended and who blocked whom. What changes between
// two users does so one after the other, the making of their conversation too.
type RelationStore interface {
	// Befriend records that userID added friendID; twice is as good as once. What
	// friendID has asked of him, groups apart, is accepted. ErrBlocked: one of
	// them has blocked the other.
	Befriend(ctx context.Context, userID, friendID int64, at time.Time) error
	// Unfriend undoes Befriend both ways, and has the next message of each looked
	// at as a first one. ErrNotFound: they are no friends.
	Unfriend(ctx context.Context, userID, friendID int64) error
	// Block records that userID blocks otherID, and undoes their friendship, and
	// what otherID has asked. From
	// then on Append stores no message of one of them to the other. ErrNotFound:
	// one is no account; ErrConflict: userID has blocked limit users.
	Block(ctx context.Context, userID, otherID int64, limit int, at time.Time) error
	// Unblock undoes Block. ErrNotFound: otherID is not blocked.
	Unblock(ctx context.Context, userID, otherID int64) error
	// Relation tells what two users are to each other.
	Relation(ctx context.Context, userID, otherID int64) (Relation, error)
	// Friends lists those whom userID added and those who added userID, by id.
	Friends(ctx context.Context, userID int64, limit, offset int) ([]User, error)
	// FriendsAfter is Friends from an id on, so that none is missed while others come
	// and go.
	FriendsAfter(ctx context.Context, userID, after int64, limit int) ([]User, error)
	// Blocked lists those whom userID has blocked, by id.
	Blocked(ctx context.Context, userID int64, limit, offset int) ([]User, error)
	// Blocks tells whom userID has blocked and who has blocked him.
	Blocks(ctx context.Context, userID int64) (Blocks, error)
	// AddedBy tells which of ids have added userID.
	AddedBy(ctx context.Context, userID int64, ids []int64) (map[int64]bool, error)
}

// RequestStore keeps what users take of whom, and what strangers have asked.
type RequestStore interface {
	// Privacy tells what of users have chosen; who has not is left out.
	Privacy(ctx context.Context, userIDs []int64) (map[int64]Privacy, error)
	// SetPrivacy puts in what of p is not nil. ErrNotFound: there is no such account.
	SetPrivacy(ctx context.Context, userID int64, p PrivacyChange) error
	// Ask stores a request to have a user in a group, or to call him, and tells
	// whether it is a new one. ErrDeclined: the user has declined it before;
	// ErrConflict: limit requests wait for him; ErrBlocked.
	Ask(ctx context.Context, r Request, limit int) (_ Request, made bool, err error)
	// Requests lists those that wait for userID, the newest first, those to write
	// with the last message of the conversation.
	Requests(ctx context.Context, userID int64, limit, offset int) ([]Request, error)
	// Request returns one that waits for userID. ErrNotFound.
	Request(ctx context.Context, userID, id int64) (Request, error)
	// AcceptRequest accepts a request to write or to call: it is Befriend.
	// ErrNotFound: it does not wait any more. One into a group is accepted by
	// ChangeMember.
	AcceptRequest(ctx context.Context, r Request, at time.Time) error
	// DeclineRequest declines a request: Append stores no message of r.FromID to
	// r.UserID, and Ask refuses. ErrNotFound: it does not wait any more.
	DeclineRequest(ctx context.Context, r Request) error
}

// SessionStore keeps logins.
type SessionStore interface {
	// SetPassword puts in a new password hash, forgets the trusted devices, and does
	// as EndSessions does, in one transaction. ErrNotFound: the account's epoch is not the one given any more.
	SetPassword(ctx context.Context, userID, epoch int64, hash, except string) (ids []string, err error)
	// CreateSession stores a session of an account whose epoch is still the one
	// that the login found. ErrNotFound: it is not, or there is no account.
	CreateSession(ctx context.Context, s Session, epoch int64) error
	Session(ctx context.Context, id string) (Session, error)
	// LiveSessions returns those of ids that there are, in no order, those that
	// expired too.
	LiveSessions(ctx context.Context, ids []string) ([]string, error)
	// RotateSession puts a new refresh hash in place of the old one, as it does
	// at a time, and is ErrNotFound where the session is gone or its hash is not old.
	RotateSession(ctx context.Context, id string, oldHash, newHash []byte, at, expires time.Time) error
	DeleteSession(ctx context.Context, id string) error
	// Sessions lists a user's sessions, the newest first.
	Sessions(ctx context.Context, userID int64, limit, offset int) ([]Session, error)
	// EndSessions deletes the sessions of a user but one ("": all of them), raises
	// the account's epoch and returns the ids of those that are gone: logins that
	// are under way come to nothing.
	EndSessions(ctx context.Context, userID int64, except string) (ids []string, err error)
	// DeleteExpiredSessions deletes sessions that expired before a time, those
	// that did first and limit at most, and returns how many.
	DeleteExpiredSessions(ctx context.Context, before time.Time, limit int) (int, error)
}

// TwoFactorStore keeps second factors of logins.
type TwoFactorStore interface {
	// TwoFactor returns what a user has set up, active or not.
	TwoFactor(ctx context.Context, userID int64) (TwoFactor, error)
	// StartTwoFactor puts in a secret that is not active. ErrConflict: one is.
	StartTwoFactor(ctx context.Context, userID int64, secret []byte, at time.Time) error
	// ActivateTwoFactor activates what StartTwoFactor put in last and does as
	// EndSessions does, in one transaction; the session that stays has a second
	// factor from then on. ErrNotFound: there is another secret by now, or it is
	// active.
	ActivateTwoFactor(ctx context.Context, a TwoFactorStart) (ids []string, err error)
	// UseStep notes that the code of a time step was used. ErrNotFound: it was
	// before, or one of a later step, or nothing is active.
	UseStep(ctx context.Context, userID, step int64) error
	// UseBackupCode deletes one. ErrNotFound: there is none such.
	UseBackupCode(ctx context.Context, userID int64, hash []byte) error
	// SetBackupCodes puts others in place of those that there are. ErrNotFound:
	// nothing is active.
	SetBackupCodes(ctx context.Context, userID int64, hashes [][]byte) error
	// StopTwoFactor deletes what is active, backup codes and trusted devices, and
	// does as EndSessions does, in one transaction. ErrNotFound: nothing is active.
	StopTwoFactor(ctx context.Context, userID int64, except string) (ids []string, err error)

	// CreateTrustedSession does as CreateSession does, stores a trusted device of the same
	// user, and deletes those of theirs that have expired by then, in one transaction.
	CreateTrustedSession(ctx context.Context, s Session, d TrustedDevice, epoch int64) error
	Device(ctx context.Context, id string) (TrustedDevice, error)
	// Devices lists a user's trusted devices, the newest first, expired ones too.
	Devices(ctx context.Context, userID int64, limit, offset int) ([]TrustedDevice, error)
	// DeleteDevice is ErrNotFound where the user has no such device.
	DeleteDevice(ctx context.Context, userID int64, id string) error
}

// ConversationStore keeps conversations and their members.
type ConversationStore interface {
	// EnsureDirect has the conversation of two users take a message of o.From's:
	// it is made if there is none, and accepts what o.To has asked of o.From. Where
	// it is new to o.To (or he has ended their friendship, or blocked o.From, since)
	// and o.Ask is set, he is asked, and not in it until he accepts. ErrBlocked: one
	// has blocked the other; ErrDeclined; ErrConflict: o.Limit requests wait for
	// o.To. Nothing is stored then.
	EnsureDirect(ctx context.Context, o Opening) (Opened, error)
	// FindDirect returns the id of the direct conversation of pair. ErrNotFound.
	FindDirect(ctx context.Context, pair Pair) (int64, error)
	// CreateGroup stores a group of owner and members (who may repeat, or hold
	// the owner).
	CreateGroup(ctx context.Context, title string, owner int64, members []int64, at time.Time) (Conversation, error)
	// Membership returns a conversation and its members, banned ones left out.
	Membership(ctx context.Context, conversationID int64) (Membership, error)
	// ChangeMember has c.Decide change a member and stores what it made of them,
	// in one transaction that no other change of this conversation's members
	// runs beside. Who comes in, from a ban too, has nothing unread. When the
	// owner goes, the admin who joined first becomes the owner, or else the
	// member who did. What Decide answers is returned as it is; ErrNotFound is
	// that the conversation or the account is not there, ErrConflict that the
	// group has its c.Limit members. With c.Request, which it settles, ErrNotFound is
	// also that this one does not wait any more.
	ChangeMember(ctx context.Context, c MemberChange) (Member, error)
	// RenameGroup gives a group a title, if decide lets its actor, as he is in the
	// transaction. What decide answers is returned as it is. ErrNotFound: there is
	// no such group.
	RenameGroup(ctx context.Context, id, actorID int64, title string, decide func(Member) error) error
	// DeleteGroup, where decide lets its actor, takes everybody out of a group, and
	// returns who was in it. Nobody comes in again.
	DeleteGroup(ctx context.Context, id, actorID int64, decide func(Member) error) (members []int64, err error)
	// PurgeGroups deletes messages of deleted groups, limit at most in one
	// transaction, and tells whether there may be more. Their ids are not given again.
	PurgeGroups(ctx context.Context, limit int) (more bool, err error)
	// Groups lists the groups of userID with their member counts, newest first.
	Groups(ctx context.Context, userID int64, limit, offset int) ([]Conversation, error)
	// Dialogs lists the conversations of userID with last message and unread
	// count, the one with the newest message first, empty ones last; Peer is
	// left to the caller.
	Dialogs(ctx context.Context, userID int64, limit, offset int) ([]Dialog, error)
	// DialogsAfter lists those whose id is larger, upward by id: it does not move with
	// what is written meanwhile.
	DialogsAfter(ctx context.Context, userID, after int64, limit int) ([]Dialog, error)
	// Contacts lists the users who share a conversation with userID, and whom he
	// has not blocked.
	Contacts(ctx context.Context, userID int64, limit int) ([]int64, error)
}

// MessageStore keeps messages.
type MessageStore interface {
	// Append stores a batch in one transaction and answers for each in its
	// order. It gives Seq by conversation, one by one and without a gap, in the
	// order of the batch; a message whose ClientMsgID its sender used before is
	// not stored again. An error means that nothing was stored.
	Append(ctx context.Context, batch []NewMessage) ([]Appended, error)
	// Advance moves marks forward in one transaction.
	Advance(ctx context.Context, marks []Mark) error
	// Receipts lists the members that a message has come to, by id: those who had
	// joined before a time. The sender may be among them.
	Receipts(ctx context.Context, conversationID, seq int64, before time.Time) ([]Receipt, error)
	// ReadUpTo tells up to which Seq conversations were read by members other than
	// userID, those who have blocked him left out.
	ReadUpTo(ctx context.Context, userID int64, conversations []int64) (map[int64]int64, error)
	// Message returns one message, its Status worked out.
	Message(ctx context.Context, id int64) (Message, error)
	// Messages returns the messages that q selects, newest first unless q is
	// Ascending, and how many there are without Limit and Offset. Only
	// conversations in which q.UserID is a member count.
	Messages(ctx context.Context, q MessageQuery) ([]Message, int64, error)
	// Since tells where the messages are whose id is larger than id, of all
	// conversations, upward by id. They may be in any order of Seq.
	Since(ctx context.Context, id int64, limit int) ([]MessagePlace, error)
	// MessageIDBefore returns the id of the last message made before a time, 0 if
	// there is none. Ids are given in about the order of CreatedAt: where two are
	// the other way round, it may be off by as much.
	MessageIDBefore(ctx context.Context, at time.Time) (int64, error)
	// EditMessage puts in new content, unless the message is gone by then, or its
	// sender may not write there: Append would store nothing of his (ErrNotFound).
	EditMessage(ctx context.Context, id int64, content string, at time.Time) error
	// RetractMessage takes content and file away; recalled tells a recall from a
	// deletion. Of a message that is gone already it is ErrNotFound.
	RetractMessage(ctx context.Context, id int64, recalled bool, at time.Time) error
	// Unread counts the messages of others that userID has not read, and has not
	// deleted for himself.
	Unread(ctx context.Context, userID int64) (int64, error)
	// HideMessage deletes a message for userID alone: from then on Messages and
	// Dialogs have it without content (Message.Blank), or not. done is false where
	// it was so before. ErrNotFound: he is no member.
	HideMessage(ctx context.Context, userID, conversationID, seq int64) (done bool, err error)
	// ClearConversation does so with all messages up to upTo, or, where that is 0,
	// up to the last; it returns how far it is cleared. Dialogs leaves a
	// conversation out that was cleared up to its last message.
	ClearConversation(ctx context.Context, userID, conversationID, upTo int64) (cleared int64, done bool, err error)
	// Hidden tells whether userID deleted a message for himself.
	Hidden(ctx context.Context, userID, conversationID, seq int64) (bool, error)
	// Hiders lists those who did, in no order.
	Hiders(ctx context.Context, conversationID, seq int64) ([]int64, error)
}

// SearchStore finds messages by their text.
type SearchStore interface {
	// SearchMessages returns the newest messages that q selects. Its cost is
	// bounded. A message is found as soon as it is stored, and not any more once it
	// was retracted; whether it is indexed makes a difference in time alone.
	SearchMessages(ctx context.Context, q MessageSearch) (Found, error)
	// IndexMessages takes a step through messages that are not indexed yet, from
	// the oldest on: at most limit of them, and those made before a time. It may be
	// stopped at any point, and called on every node.
	IndexMessages(ctx context.Context, before time.Time, limit int) (Indexed, error)
}

// FileStore keeps what is known of uploaded files.
type FileStore interface {
	// CreateFile stores f, unless its owner's files, or all files, have more bytes
	// with it than q allows: ErrUserFull, ErrFull.
	CreateFile(ctx context.Context, f File, q Quota) (File, error)
	// FileBytes tells how many bytes a user's files have, and those of all.
	FileBytes(ctx context.Context, userID int64) (user, total int64, err error)
	File(ctx context.Context, id int64) (File, error)
	// FilesAfter lists the files of a user that come after an id, upward, those left
	// out that FilesOf leaves out.
	FilesAfter(ctx context.Context, userID, after int64, limit int) ([]File, error)
	// UnusedFiles looks at the limit files, at most, that come after an id, and
	// that were made before a time; it returns those that no message names, deleted
	// ones whose bytes may be there, and the last id that it looked at, or 0 where
	// there are no more.
	UnusedFiles(ctx context.Context, after int64, before time.Time, limit int) (unused []File, last int64, err error)
	// DeleteFile forgets a file that no message names. ErrConflict: one does.
	DeleteFile(ctx context.Context, id int64) error
	// FilesOf lists the files of a user, the newest first.
	FilesOf(ctx context.Context, userID int64, limit, offset int) ([]File, error)
	// FileRooms lists conversations that a file was sent to, in no order.
	FileRooms(ctx context.Context, id int64, limit int) ([]int64, error)
	// MarkFileDeleted takes a file from its owner, and from the messages that name
	// it: File does not find it from then on. ErrNotFound: it was gone before.
	MarkFileDeleted(ctx context.Context, id int64) error
	// ForgetBytes notes that the bytes of a deleted file are gone.
	ForgetBytes(ctx context.Context, id int64) error
	// MayRead tells whether userID uploaded the file or is a member of a
	// conversation that it was sent to.
	MayRead(ctx context.Context, fileID, userID int64) (bool, error)
}

// StaffStore keeps what the staff does, and shows it what there is.
type StaffStore interface {
	// ChangeStanding has c.Decide change an account and stores what it made of its role
	// and its ban, its entry of the audit, and what c says besides, in one transaction
	// beside which no other change of the two accounts, or of any super admin, runs. It
	// returns the sessions that are gone. What Decide answers is returned as it is;
	// ErrNotFound is that there is no such account.
	ChangeStanding(ctx context.Context, c StandingChange) (after Standing, sessions []string, err error)
	// Ban returns the ban of an account, which may be over. ErrNotFound.
	Ban(ctx context.Context, userID int64) (Ban, error)
	// RemoveMessage has r.Decide agree to the deletion of a message, which
	// RetractMessage describes, and stores it and the entry of the audit in one
	// transaction. What Decide answers is returned as it is. ErrNotFound: there is no
	// such message, or it is gone already.
	RemoveMessage(ctx context.Context, r Removal) error
	// RemoveGroup does so with a group, which DeleteGroup describes.
	RemoveGroup(ctx context.Context, r Removal) (members []int64, err error)
	// AddAudit adds an entry. There is no way to change one.
	AddAudit(ctx context.Context, e AuditEntry) error
	// Audit returns the entries that q selects, the newest first, and how many
	// there are without Limit and Offset, up to Count. So do the others with Count.
	Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, int64, error)
	// Numbers counts; of what it returns, Online and UpdatedAt are left out.
	Numbers(ctx context.Context, d Day) (Numbers, error)
	// Accounts returns the accounts that q selects, the newest first, and how many
	// there are without Limit and Offset.
	Accounts(ctx context.Context, q AccountQuery) ([]Account, int64, error)
	// Analysis counts what a user did; of what it returns, all that is no number
	// of messages, chats or reports is left out. Its cost is bounded.
	Analysis(ctx context.Context, userID int64) (Analysis, error)
	// AllMessages returns messages of anybody, the newest first. Its cost is bounded.
	AllMessages(ctx context.Context, q ModerationQuery) (Found, error)
	// Chats returns groups that have members, the newest first, and how many there
	// are without Limit and Offset.
	Chats(ctx context.Context, q GroupQuery) ([]Conversation, int64, error)
	// CreateReport stores r, unless the same report of its reporter waits already,
	// which it returns then. ErrConflict: most reports of his wait.
	CreateReport(ctx context.Context, r Report, most int) (_ Report, made bool, err error)
	Report(ctx context.Context, id int64) (Report, error)
	// Reports returns the reports that q selects, and how many there are without
	// Limit and Offset.
	Reports(ctx context.Context, q ReportQuery) ([]Report, int64, error)
	// HandleReport closes a report, with the entry of the audit and the notice, in
	// one transaction. ErrConflict: it is closed already.
	HandleReport(ctx context.Context, h Handling) (Notice, error)
	// PendingReports tells how many reports wait, and since when the oldest does.
	PendingReports(ctx context.Context) (n int64, since time.Time, err error)
	// AddNotice stores n and the entry of the audit in one transaction, and returns n
	// with its ID.
	AddNotice(ctx context.Context, n Notice, e AuditEntry) (Notice, error)
	// Notices returns what a user was not told yet, the oldest first, that was made
	// after a time and after his account.
	Notices(ctx context.Context, userID int64, after time.Time, limit int) ([]Notice, error)
	// MarkNotices notes that users were told of notices. To whom an older one is to be
	// told yet, that was made after a time, all of them are told again after it.
	MarkNotices(ctx context.Context, userIDs []int64, told Told, since time.Time) error
}

// Blobs keep the bytes of files.
type Blobs interface {
	// Put stores what r holds under a key of its own choice; when it returns,
	// the bytes are durable. On an error nothing is left behind.
	Put(ctx context.Context, r io.Reader) (key string, err error)
	// Open returns the bytes under key; the caller closes them. ErrNotFound.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// Delete removes what Put stored. A key that is not there is no error.
	Delete(ctx context.Context, key string) error
}

// A Cleaner is Blobs that have to be cleaned from time to time of what uploads
// left that never came to an end.
type Cleaner interface {
	Clean(ctx context.Context) error
}

// A Bus carries events to the connections of users, on this node and others.
type Bus interface {
	// Publish hands e to every subscriber on every node. Events of one
	// publisher arrive in order; an event may be lost where nodes are apart.
	Publish(ctx context.Context, e Event) error
}

// Presence knows who is connected, on any node.
type Presence interface {
	// Connected counts one more connection of userID on this node, and tells
	// whether it is the user's first.
	Connected(ctx context.Context, userID int64) (first bool, err error)
	// Disconnected counts one less, and tells whether it was the last.
	Disconnected(ctx context.Context, userID int64) (last bool, err error)
	// Online tells which of ids are connected.
	Online(ctx context.Context, ids []int64) (map[int64]bool, error)
	// Everyone lists who is connected, each once and in no order.
	Everyone(ctx context.Context) ([]int64, error)
}

// A Cache keeps values that are costly to load.
type Cache[K comparable, V any] interface {
	// Load returns the value kept under key, or else what load returns, and
	// keeps that. Concurrent calls for one key share one load. What was loaded
	// before a Drop is not kept after it. hit tells whether load was spared.
	Load(ctx context.Context, key K, load func(context.Context) (V, error)) (v V, hit bool, err error)
	// Drop forgets keys, on every node.
	Drop(ctx context.Context, keys ...K) error
}

// A Limiter bounds how often something may happen under a key.
type Limiter[K comparable] interface {
	// Take uses one turn and returns 0, or returns how long to wait for one.
	Take(ctx context.Context, key K) (wait time.Duration)
	// Peek is Take without using the turn.
	Peek(ctx context.Context, key K) (wait time.Duration)
}

// A Hasher keeps passwords from being read.
type Hasher interface {
	Hash(ctx context.Context, password string) (string, error)
	// Verify tells whether hash was made of password. It takes as long for a
	// hash that is empty.
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// Usernames know which usernames are one, and which are none.
type Usernames interface {
	// Key is the same for all ways to write one name: upper and lower case, and
	// what Unicode has several codes for.
	Key(name string) string
	// Check refuses, with an [*Error], what no new account should be called,
	// besides what is no word of letters, digits, dot, dash and underscore.
	Check(name string) error
}

// Codes make one-time codes that an authenticator shows, and keep its secret.
type Codes interface {
	// New returns a secret, in Base32, and the otpauth:// URL by which an
	// authenticator takes it up under the name account.
	New(account string) (secret, url string, err error)
	// Step tells which time step code is of, where it is one near at. Every step has
	// one code, and a larger number than those before it.
	Step(secret, code string, at time.Time) (step int64, ok bool, err error)
	// Lock encrypts the secret of a user, and Unlock is its opposite.
	Lock(userID int64, secret string) []byte
	Unlock(userID int64, locked []byte) (string, error)
}

// A Signer makes access tokens and reads them.
type Signer interface {
	Sign(c Claims) (string, error)
	// Parse returns what a token says if this signer made it and it has not
	// expired at now.
	Parse(token string, now time.Time) (Claims, error)
	// Seal returns what nobody else can make of text, always the same: letters,
	// digits, dash and underscore.
	Seal(text string) string
}
