package chat_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// statuses returns the status of a user's message from all calls that return it.
func (n *node) statuses(t *testing.T, user chat.Caller, m chat.Message) map[string]chat.Status {
	t.Helper()
	found := make(map[string]chat.Status)
	add := func(where string, list []chat.Message, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		for _, x := range list {
			if x.ID == m.ID {
				found[where] = x.Status
			}
		}
	}
	one, err := n.Message(t.Context(), user, m.ID)
	add("message", []chat.Message{one}, err)
	target := chat.Target{ChatID: m.ConversationID}
	page, err := n.Messages(t.Context(), user, chat.History{Target: target})
	add("history", page.Messages, err)
	zero := int64(0)
	page, err = n.Messages(t.Context(), user, chat.History{Target: target, AfterSeq: &zero})
	add("sync", page.Messages, err)
	page, err = n.Messages(t.Context(), user, chat.History{})
	add("all", page.Messages, err)
	dialogs, err := n.Dialogs(t.Context(), user, chat.Paging{})
	for _, d := range dialogs.Items {
		add("dialogs", []chat.Message{*d.LastMessage}, err)
	}
	hits, err := n.SearchMessages(t.Context(), user, chat.TextSearch{Text: m.Content})
	add("search", hits.Messages, err)
	again, err := n.Send(t.Context(), user, chat.Draft{
		Target: chat.Target{ReceiverID: m.ReceiverID, ChatID: m.ChatID}, Content: m.Content, ClientMsgID: m.ClientMsgID,
	})
	add("retry", []chat.Message{again}, err)
	read, err := n.MarkRead(t.Context(), user, m.ID)
	add("own mark", []chat.Message{read}, err)
	files := n.export(t, user)
	add("export", linesOf[chat.Message](t, files[fmt.Sprintf("messages/%d.jsonl", m.ConversationID)]), nil)
	for _, d := range linesOf[chat.Dialog](t, files["conversations.jsonl"]) {
		add("exported dialogs", []chat.Message{*d.LastMessage}, nil)
	}
	return found
}

// linesOf decodes JSON lines.
func linesOf[T any](t *testing.T, text string) (list []T) {
	t.Helper()
	for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
		var v T
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// export returns a user's archive, by name.
func (n *node) export(t *testing.T, user chat.Caller) map[string]string {
	t.Helper()
	e, err := n.BeginExport(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	var archive bytes.Buffer
	if err := e.Write(t.Context(), &archive); err != nil {
		t.Fatal(err)
	}
	return unzip(t, archive.Bytes())
}

func unzip(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	for _, f := range r.File {
		body, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = string(text)
	}
	return files
}

// all fails the test unless all statuses are want.
func all(t *testing.T, what string, got map[string]chat.Status, want chat.Status) {
	t.Helper()
	for where, status := range got {
		if status != want {
			t.Errorf("%s: in %s its status is %s, want %s", what, where, status, want)
		}
	}
	if len(got) < 8 {
		t.Errorf("%s: found in %v alone", what, got)
	}
}

// TestNoTracesBetweenBlockedUsers: after a block, neither user sees that the other received
// or read messages, by events or by requests. After an unblock, both see it.
func TestNoTracesBetweenBlockedUsers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben := w.session(t), w.session(t)
		toAnn, toBen := n.send(t, ben, ann.UserID, "from ben"), n.send(t, ann, ben.UserID, "from ann")
		n.block(t, ann, ben)
		for reader, m := range map[chat.Caller]chat.Message{ann: toAnn, ben: toBen} {
			n.Delivered(m.ConversationID, reader.UserID, m.Seq)
			if got, err := n.MarkRead(t.Context(), reader, m.ID); err != nil || got.Status != chat.StatusRead {
				t.Fatalf("%+v, %v", got, err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		for who, other := range map[chat.Caller]chat.Caller{ann: ben, ben: ann} {
			for _, e := range slices.Concat(n.told(who, chat.EventMessageRead), n.told(who, chat.EventMessageDelivered)) {
				if r, ok := e.Payload.(chat.MessageRead); !ok || r.ReadBy != who.UserID {
					t.Errorf("of user %d, user %d was told %+v", other.UserID, who.UserID, e)
				}
			}
			if got := n.told(who, chat.EventMessageRead); len(got) != 1 {
				t.Errorf("his own devices were told %+v", got)
			}
		}
		for who, m := range map[chat.Caller]chat.Message{ann: toBen, ben: toAnn} {
			if r, err := n.Receipts(t.Context(), who, m.ID); err != nil || len(r.ReadBy)+len(r.DeliveredTo) != 0 {
				t.Errorf("receipts %+v, %v", r, err)
			}
		}
		all(t, "the blocker's", n.statuses(t, ann, toBen), chat.StatusSent)
		if err := n.Unblock(t.Context(), ann, ben.UserID); err != nil {
			t.Fatal(err)
		}
		all(t, "afterwards", n.statuses(t, ann, toBen), chat.StatusRead)
		n.block(t, ben, ann) // it works both ways
		all(t, "the blocked's", n.statuses(t, ann, toBen), chat.StatusSent)
		if r, err := n.Receipts(t.Context(), ann, toAnn.ID); err != nil || len(r.ReadBy) != 1 || r.ReadBy[0].UserID != ann.UserID {
			t.Errorf("of what he has read himself: %+v, %v", r, err)
		}
	})
}

// TestNoTracesOfBlockerInGroups: the blocked user sees the receipts of the other members, and
// the blocker sees all of them.
func TestNoTracesOfBlockerInGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		n := w.node(t, nil)
		ann, ben, cat := w.session(t), w.session(t), w.session(t)
		g := newGroup(t, n, ann, ben, cat)
		post := func(from chat.Caller, text string) chat.Message {
			t.Helper()
			m, err := n.Send(t.Context(), from, chat.Draft{Target: chat.Target{ChatID: g}, Content: text, ClientMsgID: text})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		read := func(by chat.Caller, m chat.Message) {
			t.Helper()
			if _, err := n.MarkRead(t.Context(), by, m.ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			synctest.Wait()
		}
		fromAnn, fromBen := post(ann, "from ann"), post(ben, "from ben")
		n.block(t, ann, ben)
		read(ann, fromBen)
		if got := n.told(ben, chat.EventMessageRead); len(got) != 0 {
			t.Errorf("the blocked was told %+v", got)
		}
		if got := n.told(cat, chat.EventMessageRead); len(got) != 1 {
			t.Errorf("another was told %+v", got)
		}
		all(t, "read by the blocker", n.statuses(t, ben, fromBen), chat.StatusSent)
		if r, err := n.Receipts(t.Context(), ben, fromBen.ID); err != nil || len(r.ReadBy)+len(r.DeliveredTo) != 0 {
			t.Errorf("the blocked sees %+v, %v", r, err)
		}
		if r, err := n.Receipts(t.Context(), cat, fromBen.ID); err != nil || len(r.ReadBy) != 1 {
			t.Errorf("another sees %+v, %v", r, err)
		}
		read(ben, fromAnn)
		if got := n.told(ann, chat.EventMessageRead); len(got) == 0 || got[len(got)-1].Payload.(chat.MessageRead).ReadBy != ben.UserID {
			t.Errorf("the blocker was told %+v", got)
		}
		read(cat, fromBen)
		all(t, "read by another", n.statuses(t, ben, fromBen), chat.StatusRead)
		if r, err := n.Receipts(t.Context(), ben, fromBen.ID); err != nil || len(r.ReadBy) != 1 || r.ReadBy[0].UserID != cat.UserID {
			t.Errorf("the blocked sees %+v, %v", r, err)
		}
	})
}
