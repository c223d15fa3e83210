package chat_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// TestSendersShareASequence sends messages of many users to one group at once.
func TestSendersShareASequence(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	const senders, each = 16, 25
	callers := make([]chat.Caller, senders)
	ids := make([]int64, senders)
	for i := range callers {
		callers[i] = w.user(t)
		ids[i] = callers[i].UserID
	}
	g, err := n.CreateGroup(t.Context(), callers[0], "all", ids)
	if err != nil {
		t.Fatal(err)
	}
	var sending sync.WaitGroup
	for i, c := range callers {
		sending.Go(func() {
			var last int64
			for k := range each {
				d := chat.Draft{Target: chat.Target{ChatID: g.ID}, Content: "x", ClientMsgID: fmt.Sprint(i, "-", k)}
				m, err := n.Send(t.Context(), c, d)
				if err != nil || m.Seq <= last {
					t.Errorf("seq %d after %d: %v", m.Seq, last, err)
					return
				}
				last = m.Seq
			}
		})
	}
	sending.Wait()
	if got, want := n.delivered(t, senders*each), upTo(senders*each); !slices.Equal(got, want) {
		t.Errorf("delivered %v", got)
	}
}

func upTo(n int) []int64 {
	s := make([]int64, n)
	for i := range s {
		s[i] = int64(i + 1)
	}
	return s
}

func TestRetryIsStoredAndDeliveredOnce(t *testing.T) {
	w := newWorld(t)
	var stored int
	n := w.node(t, nil, func(c *chat.Config) {
		c.Hooks.MessageStored = func(context.Context, chat.MessageStored) { stored++ }
	})
	a, b := w.user(t), w.user(t)
	first := n.send(t, a, b.UserID, "one")
	if again := n.send(t, a, b.UserID, "one"); again.ID != first.ID || again.Seq != first.Seq {
		t.Errorf("a retry is %+v, was %+v", again, first)
	}
	// Another sender may use the same client_msg_id.
	if other := n.send(t, b, a.UserID, "one"); other.ID == first.ID {
		t.Error("two senders share an id")
	}
	n.send(t, a, b.UserID, "two")
	if got := n.delivered(t, 3); !slices.Equal(got, upTo(3)) || stored != 3 {
		t.Errorf("delivered %v, %d stored", got, stored)
	}
}

// TestReusedClientMsgIDIsConflict sends different messages with the client_msg_id of a
// stored one. Each would be lost if it counted as a retry.
func TestReusedClientMsgIDIsConflict(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b, c := w.user(t), w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), a, "g", []int64{b.UserID})
	if err != nil {
		t.Fatal(err)
	}
	up := func() int64 {
		f, err := n.Upload(t.Context(), a, chat.Upload{Name: "f", Body: strings.NewReader("x")})
		if err != nil {
			t.Fatal(err)
		}
		return f.ID
	}
	to := chat.Target{ReceiverID: b.UserID}
	before := n.send(t, a, b.UserID, "before")
	first := chat.Draft{Target: to, Type: chat.TypeImage, Content: "x", FileID: up(), ReplyToID: before.ID, ClientMsgID: "one"}
	sent, err := n.Send(t.Context(), a, first)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, want chat.Kind, change func(*chat.Draft)) {
		t.Helper()
		d := first
		change(&d)
		m, err := n.Send(t.Context(), a, d)
		if chat.KindOf(err) != want || err == nil && (m.ID != sent.ID || m.Seq != sent.Seq) {
			t.Errorf("%s: %+v, %v", what, m, err)
		}
	}
	differences := map[string]func(*chat.Draft){
		"another receiver": func(d *chat.Draft) { d.Target = chat.Target{ReceiverID: c.UserID}; d.ReplyToID = 0 },
		"a group":          func(d *chat.Draft) { d.Target = chat.Target{ChatID: g.ID}; d.ReplyToID = 0 },
		"nobody":           func(d *chat.Draft) { d.Target = chat.Target{ReceiverID: 4711} },
		"another type":     func(d *chat.Draft) { d.Type = chat.TypeVideo },
		"no reply":         func(d *chat.Draft) { d.ReplyToID = 0 },
	}
	for what, change := range differences {
		try(what, chat.KindConflict, change)
	}
	other := up()
	try("another file", chat.KindConflict, func(d *chat.Draft) { d.FileID = other })
	try("other content", chat.KindConflict, func(d *chat.Draft) { d.Content = "y" })
	same := func(*chat.Draft) {}
	try("the same", "", same)
	try("the same by the conversation's id", "", func(d *chat.Draft) { d.Target = chat.Target{ChatID: sent.ConversationID} })
	// A retry is still one after the message was changed.
	if _, err := n.Edit(t.Context(), a, sent.ID, "edited"); err != nil {
		t.Fatal(err)
	}
	try("the same, edited since", "", same)
	if _, err := n.Recall(t.Context(), a, sent.ID); err != nil {
		t.Fatal(err)
	}
	try("the same, recalled since", "", same)
	for what, change := range differences {
		try(what+", recalled since", chat.KindConflict, change)
	}
}

// TestRetrySucceedsAfterMuteAndRemoval retries a stored message after its sender was muted
// and removed.
func TestRetrySucceedsAfterMuteAndRemoval(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, member := w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), owner, "g", []int64{member.UserID})
	if err != nil {
		t.Fatal(err)
	}
	send := func(id string) (chat.Message, error) {
		return n.Send(t.Context(), member, chat.Draft{Target: chat.Target{ChatID: g.ID}, Content: "x", ClientMsgID: id})
	}
	first, err := send("one")
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error, refusal chat.Kind) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := send("one"); err != nil || again.ID != first.ID || again.Seq != first.Seq {
			t.Errorf("%s, the retry is %+v: %v", what, again, err)
		}
		if _, err := send("new " + what); chat.KindOf(err) != refusal {
			t.Errorf("%s, a new message: %v, want %s", what, err, refusal)
		}
	}
	_, err = n.SetMuted(t.Context(), owner, g.ID, member.UserID, true)
	check("muted", err, chat.KindForbidden)
	check("removed", n.RemoveMember(t.Context(), owner, g.ID, member.UserID), chat.KindNotFound)
}

// TestRemovedAndMutedMembersCannotSend removes and mutes members while the group is cached.
func TestRemovedAndMutedMembersCannotSend(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, member := w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), owner, "g", []int64{member.UserID})
	if err != nil {
		t.Fatal(err)
	}
	send := func(c chat.Caller) chat.Kind {
		_, err := n.Send(t.Context(), c, chat.Draft{Target: chat.Target{ChatID: g.ID}, Content: "x"})
		return chat.KindOf(err)
	}
	step := func(what string, err error, want chat.Kind) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if got := send(member); got != want {
			t.Errorf("%s: the member's message: %q, want %q", what, got, want)
		}
	}
	step("at first", nil, "")
	_, err = n.SetMuted(t.Context(), owner, g.ID, member.UserID, true)
	step("muted", err, chat.KindForbidden)
	_, err = n.SetMuted(t.Context(), owner, g.ID, member.UserID, false)
	step("unmuted", err, "")
	step("removed", n.RemoveMember(t.Context(), owner, g.ID, member.UserID), chat.KindNotFound)
	_, err = n.AddMember(t.Context(), owner, g.ID, member.UserID)
	step("added", err, "")
	_, err = n.Ban(t.Context(), owner, g.ID, member.UserID)
	step("banned", err, chat.KindNotFound)
	_, err = n.AddMember(t.Context(), owner, g.ID, member.UserID)
	if chat.KindOf(err) != chat.KindForbidden {
		t.Errorf("a banned user was added: %v", err)
	}
	step("unbanned", n.Unban(t.Context(), owner, g.ID, member.UserID), chat.KindNotFound)
	if send(owner) != "" {
		t.Error("the owner cannot write")
	}
	n.delivered(t, 4)
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.events[len(n.events)-1]; slices.Contains(last.To, member.UserID) {
		t.Error("a banned user is told of new messages")
	}
}

func TestOwnerWhoLeavesHandsOver(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	owner, first, admin := w.user(t), w.user(t), w.user(t)
	g, err := n.CreateGroup(t.Context(), owner, "g", []int64{first.UserID, admin.UserID})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.SetAdmin(t.Context(), owner, g.ID, admin.UserID, true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ leaves, heir chat.Caller }{{owner, admin}, {admin, first}} {
		if err := n.RemoveMember(t.Context(), c.leaves, g.ID, c.leaves.UserID); err != nil {
			t.Fatal(err)
		}
		members, err := n.Members(t.Context(), first, g.ID, chat.Paging{})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range members.Items {
			if (m.Role == chat.RoleOwner) != (m.UserID == c.heir.UserID) {
				t.Errorf("after %d left, %d is %s", c.leaves.UserID, m.UserID, m.Role)
			}
		}
	}
}

// TestRefusedMessageCreatesNoConversation: a refused message leaves no empty conversation.
func TestRefusedMessageCreatesNoConversation(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b := w.user(t), w.user(t)
	for _, d := range []chat.Draft{
		{Target: chat.Target{ReceiverID: b.UserID}, Content: "x", ReplyToID: 7},
		{Target: chat.Target{ReceiverID: b.UserID}, Type: chat.TypeFile, FileID: 7},
		{Target: chat.Target{ReceiverID: 4711}, Content: "x"},
		{Target: chat.Target{ReceiverID: b.UserID}, Content: "\xff"},
	} {
		if _, err := n.Send(t.Context(), a, d); err == nil {
			t.Errorf("%+v was sent", d)
		}
	}
	if dialogs, err := n.Dialogs(t.Context(), b, chat.Paging{}); err != nil || len(dialogs.Items) != 0 {
		t.Errorf("dialogs: %+v %v", dialogs, err)
	}
}

// TestCloseStoresAcceptedMessages closes the Service while many users send. Acknowledged
// messages are stored; the others fail because the server is stopping.
func TestCloseStoresAcceptedMessages(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b := w.user(t), w.user(t)
	n.send(t, a, b.UserID, "first")
	var mu sync.Mutex
	acked := []string{"first"}
	var sending sync.WaitGroup
	for i := range 8 {
		sending.Go(func() {
			for k := 0; ; k++ {
				id := fmt.Sprint(i, "-", k)
				_, err := n.Send(context.Background(), a, chat.Draft{Target: chat.Target{ReceiverID: b.UserID}, Content: "x", ClientMsgID: id})
				if err != nil {
					if chat.KindOf(err) != chat.KindUnavailable {
						t.Errorf("refused with %v", err)
					}
					return
				}
				mu.Lock()
				acked = append(acked, id)
				mu.Unlock()
			}
		})
	}
	n.delivered(t, 100)
	n.Close()
	sending.Wait()
	messages, total, err := w.store.Messages(t.Context(), chat.MessageQuery{
		UserID: a.UserID, ConversationID: 1, Ascending: true, Limit: 1 << 20,
	})
	if err != nil || int(total) != len(acked) || len(messages) != len(acked) {
		t.Fatalf("%d acknowledged, %d stored: %v", len(acked), total, err)
	}
	if got := n.delivered(t, len(acked)); len(got) != len(acked) {
		t.Errorf("%d acknowledged, %d announced", len(acked), len(got))
	}
}

// TestDatabaseUnavailable: the error is clear, and afterwards nothing is stored twice.
func TestDatabaseUnavailable(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	a, b := w.user(t), w.user(t)
	n.send(t, a, b.UserID, "first")
	if err := w.store.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := n.Send(t.Context(), a, chat.Draft{Target: chat.Target{ReceiverID: b.UserID}, Content: "x"})
	if chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("without a database: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if _, err := n.Send(ctx, a, chat.Draft{Target: chat.Target{ReceiverID: b.UserID}, Content: "x"}); err == nil {
		t.Error("sent after the deadline, without a database")
	} else if !errors.Is(err, context.DeadlineExceeded) && chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("after the deadline: %v", err)
	}
}

// A gatedStore blocks Append until its gate is open. If err is set, it then stores the first
// batch and returns err for the others.
type gatedStore struct {
	chat.Store
	gate    chan struct{}
	err     error
	largest atomic.Int64
	appends atomic.Int64
}

func (g *gatedStore) Append(ctx context.Context, batch []chat.NewMessage) ([]chat.Appended, error) {
	<-g.gate
	nth := g.appends.Add(1)
	for most := g.largest.Load(); int64(len(batch)) > most && !g.largest.CompareAndSwap(most, int64(len(batch))); {
		most = g.largest.Load()
	}
	if g.err != nil && nth > 1 {
		return nil, g.err
	}
	return g.Store.Append(ctx, batch)
}

// crowd sends n messages to each of some conversations while the gate is closed, and returns
// the results by conversation, in the order in which they came.
func crowd(t *testing.T, w *world, store *gatedStore, n int) map[int64][]error {
	t.Helper()
	c := w.node(t, nil, func(c *chat.Config) {
		c.Store, c.Limits = store, chat.Limits{MaxBatch: 4, Writers: 4}
	})
	a, peers := w.user(t), make([]int64, 6)
	for i := range peers {
		peers[i] = w.user(t).UserID
		if _, err := w.store.EnsureDirect(t.Context(), chat.Opening{From: a.UserID, To: peers[i], At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	answers := make(map[int64][]error)
	var answered sync.WaitGroup
	for k := range n {
		for _, peer := range peers {
			answered.Add(1)
			d := chat.Draft{Target: chat.Target{ReceiverID: peer}, Content: fmt.Sprint(k)}
			c.SendFunc(t.Context(), a, d, func(m chat.Message, err error) {
				defer answered.Done()
				mu.Lock()
				defer mu.Unlock()
				if err == nil && m.Content != fmt.Sprint(len(answers[peer])) {
					t.Errorf("to %d: %s was stored after %d others", peer, m.Content, len(answers[peer]))
				}
				answers[peer] = append(answers[peer], err)
			})
		}
	}
	close(store.gate)
	answered.Wait()
	return answers
}

// TestLargeBatchesAreStoredInParts of at most MaxBatch, each conversation in order.
func TestLargeBatchesAreStoredInParts(t *testing.T) {
	w := newWorld(t)
	store := &gatedStore{Store: w.store, gate: make(chan struct{})}
	for peer, errs := range crowd(t, w, store, 10) {
		if len(errs) != 10 || errors.Join(errs...) != nil {
			t.Errorf("to %d: %v", peer, errs)
		}
	}
	if got := store.largest.Load(); got > 4 {
		t.Errorf("%d messages in one transaction, at most 4 are wanted", got)
	}
}

// TestFailedPartsAreAnsweredOnce: messages that waited behind a failed part are not tried.
func TestFailedPartsAreAnsweredOnce(t *testing.T) {
	w := newWorld(t)
	store := &gatedStore{Store: w.store, gate: make(chan struct{}), err: chat.Errorf(chat.KindUnavailable, "the database does not answer", "away")}
	failed := 0
	for peer, errs := range crowd(t, w, store, 10) {
		if len(errs) != 10 {
			t.Errorf("to %d: %d answers to 10 messages", peer, len(errs))
		}
		for _, err := range errs {
			if chat.KindOf(err) == chat.KindUnavailable {
				failed++
			} else if err != nil {
				t.Errorf("to %d: %v", peer, err)
			}
		}
	}
	if appends := store.appends.Load(); failed < 60-16 || appends > 1+4 {
		t.Errorf("%d of 60 failed in %d transactions", failed, appends)
	}
}
