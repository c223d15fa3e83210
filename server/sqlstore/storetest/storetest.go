// Package storetest is the contract of chat.Store and call.Store as a test suite. Call [Run]
// with a function that opens an empty store.
package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// A Store is what Run tests.
type Store interface {
	chat.Store
	call.Store
	NamedFiles(ctx context.Context, after int64, before time.Time, limit int) ([]chat.File, error)
}

// Run tests the stores that open returns. Each must be empty, and open must close it by
// t.Cleanup. The stores must use auth.Usernames as the keys of usernames.
func Run(t *testing.T, open func(t *testing.T) Store) {
	for _, c := range []struct {
		name string
		test func(*world)
	}{
		{"Users", testUsers},
		{"UsersAreUnique", testUsersAreUnique},
		{"SearchUsers", testSearchUsers},
		{"Friends", testFriends},
		{"Relations", testRelations},
		{"Unfriend", testUnfriend},
		{"Blocks", testBlocks},
		{"BlocksAreLimited", testBlocksAreLimited},
		{"AppendGuardsBlocks", testAppendGuardsBlocks},
		{"BlocksUnderConcurrency", testBlocksUnderConcurrency},
		{"UpdatesUnderConcurrency", testUpdatesUnderConcurrency},
		{"Privacy", testPrivacy},
		{"MessageRequests", testMessageRequests},
		{"MessageRequestsAcceptedByReply", testMessageRequestsAcceptedByReply},
		{"MessageRequestsDeclined", testMessageRequestsDeclined},
		{"MessageRequestsAfterUnfriend", testMessageRequestsAfterUnfriend},
		{"CallRequests", testCallRequests},
		{"GroupRequests", testGroupRequests},
		{"RequestsAreLimited", testRequestsAreLimited},
		{"AnswersUnderConcurrency", testAnswersUnderConcurrency},
		{"Sessions", testSessions},
		{"SessionsEnd", testSessionsEnd},
		{"SessionsEndUnderConcurrency", testSessionsEndUnderConcurrency},
		{"ExpiredSessions", testExpiredSessions},
		{"DeleteUser", testDeleteUser},
		{"DeletedUsersConversations", testDeletedUsersConversations},
		{"DeletionUnderConcurrency", testDeletionUnderConcurrency},
		{"LastSuperAdminStays", testLastSuperAdminStays},
		{"FilesAfter", testFilesAfter},
		{"TwoFactor", testTwoFactor},
		{"TrustedDevices", testTrustedDevices},
		{"CodesWorkOnce", testCodesWorkOnce},
		{"Direct", testDirect},
		{"DirectUnderConcurrency", testDirectUnderConcurrency},
		{"Groups", testGroups},
		{"Members", testMembers},
		{"MembersAreLimited", testMembersAreLimited},
		{"ChangeMember", testChangeMember},
		{"ChangesUnderConcurrency", testChangesUnderConcurrency},
		{"OwnersHandOver", testOwnersHandOver},
		{"OwnersLeaveUnderConcurrency", testOwnersLeaveUnderConcurrency},
		{"RenameGroup", testRenameGroup},
		{"DeleteGroup", testDeleteGroup},
		{"DeleteGroupUnderConcurrency", testDeleteGroupUnderConcurrency},
		{"Dialogs", testDialogs},
		{"Contacts", testContacts},
		{"Append", testAppend},
		{"AppendGuardsMembership", testAppendGuardsMembership},
		{"AppendChecksFiles", testAppendChecksFiles},
		{"AppendIsIdempotent", testAppendIsIdempotent},
		{"AppendLargeBatches", testAppendLargeBatches},
		{"AppendAgainstModel", testAppendAgainstModel},
		{"AppendUnderConcurrency", testAppendUnderConcurrency},
		{"AppendCancelled", testAppendCancelled},
		{"Statuses", testStatuses},
		{"MarksNeverGoBack", testMarksNeverGoBack},
		{"Receipts", testReceipts},
		{"ReadUpTo", testReadUpTo},
		{"EditAndRetract", testEditAndRetract},
		{"EditGuardsMembership", testEditGuardsMembership},
		{"Pages", testPages},
		{"PagesAreForMembers", testPagesAreForMembers},
		{"Since", testSince},
		{"Unread", testUnread},
		{"SearchMessages", testSearchMessages},
		{"SearchAgainstModel", testSearchAgainstModel},
		{"IndexingUnderConcurrency", testIndexingUnderConcurrency},
		{"IndexingWaits", testIndexingWaits},
		{"Unindexed", testUnindexed},
		{"HideMessage", testHideMessage},
		{"ClearConversation", testClearConversation},
		{"Files", testFiles},
		{"FilesHaveQuotas", testFilesHaveQuotas},
		{"UnusedFiles", testUnusedFiles},
		{"NamedFiles", testNamedFiles},
		{"DeletedFiles", testDeletedFiles},
		{"MayRead", testMayRead},
		{"Calls", testCalls},
		{"EndedCalls", testEndedCalls},
		{"CallsKeepUsersBusy", testCallsKeepUsersBusy},
		{"CallsUnderConcurrency", testCallsUnderConcurrency},
		{"CallChangesUnderConcurrency", testCallChangesUnderConcurrency},
		{"Legs", testLegs},
		{"PruneCalls", testPruneCalls},
		{"Standings", testStandings},
		{"StandingsEndSessions", testStandingsEndSessions},
		{"SupersUnderConcurrency", testSupersUnderConcurrency},
		{"NobodyActsOnDeleted", testNobodyActsOnDeleted},
		{"Audit", testAudit},
		{"Accounts", testAccounts},
		{"Numbers", testNumbers},
		{"Reports", testReports},
		{"Backlog", testBacklog},
		{"ReportsUnderConcurrency", testReportsUnderConcurrency},
		{"Notices", testNotices},
		{"Moderation", testModeration},
		{"Removals", testRemovals},
		{"Garbage", testGarbage},
		{"Cancelled", testCancelled},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(&world{Store: open(t), T: t, now: time.Date(2026, 11, 22, 9, 30, 0, 123456789, time.FixedZone("", 3600))})
		})
	}
}

// A world is a store with helpers that fill it.
type world struct {
	Store
	*testing.T
	now   time.Time // has a zone and nanoseconds, which stores may drop
	phone int
}

// stored returns now as a store returns it.
func (w *world) stored() time.Time { return w.now.UTC().Truncate(time.Microsecond) }

func (w *world) ctx() context.Context { return w.Context() }

// user creates an account.
func (w *world) user() int64 {
	w.Helper()
	w.phone++
	return must[chat.User](w)(w.CreateUser(w.ctx(), chat.User{
		Phone: fmt.Sprintf("+1%09d", w.phone), Role: chat.RoleUser, CreatedAt: w.now,
	}, "hash")).ID
}

func (w *world) users(n int) []int64 {
	w.Helper()
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = w.user()
	}
	return ids
}

func (w *world) direct(a, b int64) int64 {
	w.Helper()
	return must[int64](w)(w.openDirect(a, b))
}

// openDirect prepares a message of a to b, who accepts messages from everybody.
func (w *world) openDirect(a, b int64) (int64, error) {
	o, err := w.EnsureDirect(w.ctx(), chat.Opening{From: a, To: b, At: w.now})
	return o.ConversationID, err
}

func (w *world) group(owner int64, members ...int64) int64 {
	w.Helper()
	return must[chat.Conversation](w)(w.CreateGroup(w.ctx(), "a group", owner, members, w.now)).ID
}

// change calls ChangeMember with a Decide that never refuses.
func (w *world) change(conversation, user int64, decide func(*chat.Member)) (chat.Member, error) {
	return w.ChangeMember(w.ctx(), chat.MemberChange{
		ConversationID: conversation, ActorID: user, UserID: user,
		Decide: func(_ chat.Member, m *chat.Member) error { decide(m); return nil },
	})
}

// put stores m, whether or not the user was a member before.
func (w *world) put(m chat.Member) {
	w.Helper()
	if m.Role == "" {
		m.Role = chat.RoleMember
	}
	must[chat.Member](w)(w.change(m.ConversationID, m.UserID, func(to *chat.Member) { *to = m }))
}

func (w *world) leave(conversation, user int64) {
	w.Helper()
	must[chat.Member](w)(w.change(conversation, user, func(m *chat.Member) { *m = chat.Member{} }))
}

// member returns a user's membership. A user who is not a member has no Role.
func (w *world) member(conversation, user int64) chat.Member {
	w.Helper()
	return must[chat.Member](w)(w.change(conversation, user, func(*chat.Member) {}))
}

// message returns a text message to store.
func (w *world) message(conversation, sender int64, content string) chat.NewMessage {
	return chat.NewMessage{ConversationID: conversation, SenderID: sender, Content: content, Type: chat.TypeText, CreatedAt: w.now}
}

// send stores one text.
func (w *world) send(conversation, sender int64, content string) chat.Message {
	w.Helper()
	return w.sendAll(w.message(conversation, sender, content))[0]
}

// sendAll stores a batch. The test fails if a message is refused or a duplicate.
func (w *world) sendAll(batch ...chat.NewMessage) []chat.Message {
	w.Helper()
	messages := make([]chat.Message, len(batch))
	for i, r := range must[[]chat.Appended](w)(w.Append(w.ctx(), batch)) {
		if r.Err != nil || r.Duplicate {
			w.Fatalf("message %d of the batch: %+v", i, r)
		}
		messages[i] = r.Message
	}
	return messages
}

func (w *world) advance(conversation, user, read, delivered int64) {
	w.Helper()
	w.ok(w.Advance(w.ctx(), []chat.Mark{{ConversationID: conversation, UserID: user, Read: read, Delivered: delivered}}))
}

func (w *world) status(id int64) chat.Status {
	w.Helper()
	return must[chat.Message](w)(w.Message(w.ctx(), id)).Status
}

// history returns the contents of a page of messages.
func (w *world) history(q chat.MessageQuery) (contents []string, total int64) {
	w.Helper()
	list, total, err := w.Messages(w.ctx(), q)
	w.ok(err)
	for _, m := range list {
		contents = append(contents, m.Content)
	}
	return contents, total
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// is fails the test unless err is want.
func (w *world) is(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Fatalf("error %v, want %v", err, want)
	}
}

// wholeBytes compares raw JSON as a whole. By default cmp compares byte by byte, which takes a second for the 100,000
// bytes of a frame. If both sides are empty, EquateEmpty compares them.
var wholeBytes = cmp.FilterValues(
	func(a, b json.RawMessage) bool { return len(a) > 0 || len(b) > 0 },
	cmp.Comparer(func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }),
)

// equal fails the test unless two values are equal. Empty and nil lists are equal.
func equal[T any](w *world, what string, got, want T) {
	w.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), wholeBytes, cmpopts.IgnoreUnexported(chat.Membership{})); diff != "" {
		w.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// must returns the value of a call, and fails the test if the call failed.
func must[T any](w *world) func(T, error) T {
	return func(v T, err error) T {
		w.Helper()
		w.ok(err)
		return v
	}
}
