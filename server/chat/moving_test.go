package chat_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A hinge is a writer that calls a function once, after a name was written.
type hinge struct {
	bytes.Buffer
	name string
	then func()
}

func (h *hinge) Write(p []byte) (int, error) {
	n, err := h.Buffer.Write(p)
	if h.then != nil && bytes.Contains(h.Bytes(), []byte(h.name)) {
		then := h.then
		h.then = nil
		then()
	}
	return n, err
}

// exportDuring exports an archive, and calls then during one of its parts.
func (n *node) exportDuring(t *testing.T, user chat.Caller, part string, then func()) map[string]string {
	t.Helper()
	e, err := n.BeginExport(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	h := &hinge{name: part, then: then}
	if err := e.Write(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	if h.then != nil {
		t.Fatalf("the archive has no %s", part)
	}
	return unzip(t, h.Bytes())
}

// TestExportIsCompleteWhileListsChange sends a message in a conversation of the second page,
// and ends a friendship of the first one.
func TestExportIsCompleteWhileListsChange(t *testing.T) {
	w := newWorld(t)
	n := w.node(t, nil)
	ann := w.session(t)
	const more = 205 // more than a page
	others := make([]chat.Caller, more)
	var conversationIDs, friends []int64
	for i := range others {
		others[i] = w.user(t)
		conversationIDs = append(conversationIDs, n.send(t, others[i], ann.UserID, "1").ConversationID)
		if err := w.store.Befriend(t.Context(), ann.UserID, others[i].UserID, time.Now()); err != nil {
			t.Fatal(err)
		}
		friends = append(friends, others[i].UserID)
	}
	files := n.exportDuring(t, ann, "conversations.jsonl", func() { n.send(t, others[0], ann.UserID, "2") })
	var got []int64
	for _, d := range linesOf[chat.Dialog](t, files["conversations.jsonl"]) {
		got = append(got, d.ID)
	}
	if slices.Sort(got); !slices.Equal(got, conversationIDs) {
		t.Errorf("%d conversations of %d: %v", len(got), len(conversationIDs), got)
	}
	for _, id := range conversationIDs {
		if linesOf[chat.Message](t, files[fmt.Sprintf("messages/%d.jsonl", id)]) == nil {
			t.Errorf("no messages of conversation %d", id)
		}
	}

	files = n.exportDuring(t, ann, "friends.jsonl", func() {
		if err := n.Unfriend(t.Context(), ann, friends[0]); err != nil {
			t.Error(err)
		}
	})
	got = nil
	for _, u := range linesOf[chat.User](t, files["friends.jsonl"]) {
		got = append(got, u.ID)
	}
	if !slices.Equal(got, friends) && !slices.Equal(got, friends[1:]) {
		t.Errorf("%d friends of %d: %v", len(got), len(friends), got)
	}
}
