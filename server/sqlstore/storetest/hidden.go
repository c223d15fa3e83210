package storetest

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/onemeter/onemeter/server/chat"
)

// testHideMessage hides messages from one user. Others still see them, and they keep their
// Seq.
func testHideMessage(w *world) {
	u := w.users(3)
	me, other := u[0], u[1]
	g, d := w.group(me, other), w.direct(me, other)
	for i := range 4 {
		w.send(g, other, fmt.Sprint("g", i+1))
	}
	w.send(d, other, "d1")
	hide := func(seq int64) bool { w.Helper(); return must[bool](w)(w.HideMessage(w.ctx(), me, g, seq)) }
	pages := func(user int64, want ...string) {
		w.Helper()
		for _, q := range []chat.MessageQuery{{ConversationID: g}, {ConversationID: g, Ascending: true}, {ConversationID: g, BeforeSeq: 5}} {
			q.UserID, q.Limit = user, 10
			got, total := w.history(q)
			if q.Ascending {
				slices.Reverse(got)
			}
			equal(w, "page", got, want)
			equal(w, "total", total, 4)
		}
	}
	equal(w, "hide a message", hide(2), true)
	equal(w, "hide it again", hide(2), false)
	equal(w, "hide the last message", hide(4), true)
	pages(me, "", "g3", "", "g1")
	pages(other, "g4", "g3", "g2", "g1")
	list, _, err := w.Messages(w.ctx(), chat.MessageQuery{UserID: me, ConversationID: g, Limit: 1})
	w.ok(err)
	equal(w, "a hidden message in a page", fmt.Sprint(list[0].Seq, list[0].Hidden, list[0].Deleted, list[0].SenderID), fmt.Sprint(4, true, true, other))
	got, _ := w.history(chat.MessageQuery{UserID: me, ConversationID: g, Ascending: true, Limit: 10, Whole: true})
	equal(w, "history with Whole", got, []string{"g1", "g2", "g3", "g4"})
	got, total := w.history(chat.MessageQuery{UserID: me, Limit: 10})
	equal(w, "messages of all conversations", fmt.Sprint(got, total), fmt.Sprint([]string{"d1", "", "g3", "", "g1"}, 5))

	last := func(user int64, place int) string {
		w.Helper()
		m := must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), user, 10, 0))[place].LastMessage
		if m == nil {
			return "none"
		}
		return m.Content
	}
	equal(w, "last message of the dialog", last(me, 1), "g3")
	equal(w, "last message of the other user's dialog", last(other, 1), "g4")
	equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), me)), 3)
	equal(w, "unread messages of the dialog", must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))[1].UnreadCount, 2)
	hide(1)
	hide(3)
	equal(w, "last message, when all are hidden", last(me, 1), "none")
	hidden := func(seq int64) bool { w.Helper(); return must[bool](w)(w.Hidden(w.ctx(), me, g, seq)) }
	equal(w, "Hidden of a hidden message, and of one that does not exist", fmt.Sprint(hidden(1), hidden(5)), "true false")
	equal(w, "hiders of the message", must[[]int64](w)(w.Hiders(w.ctx(), g, 1)), []int64{me})
	equal(w, "hiders of a message that is not hidden", must[[]int64](w)(w.Hiders(w.ctx(), d, 1)), nil)

	for _, user := range []int64{u[2], 1 << 40, 0, -1} {
		_, err := w.HideMessage(w.ctx(), user, g, 1)
		w.is(err, chat.ErrNotFound)
		_, _, err = w.ClearConversation(w.ctx(), user, g, 0)
		w.is(err, chat.ErrNotFound)
	}
	w.leave(g, me)
	_, err = w.HideMessage(w.ctx(), me, g, 1)
	w.is(err, chat.ErrNotFound)

	var first atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			done, err := w.HideMessage(w.ctx(), me, d, 1)
			if err != nil {
				w.Error(err)
			}
			if done {
				first.Add(1)
			}
		})
	}
	wg.Wait()
	equal(w, "calls of HideMessage that hid the message", first.Load(), 1)
}

// testClearConversation hides a conversation from one user, up to a message.
func testClearConversation(w *world) {
	me, other := w.user(), w.user()
	d := w.direct(me, other)
	clearTo := func(upTo int64) (int64, bool) {
		w.Helper()
		cleared, done, err := w.ClearConversation(w.ctx(), me, d, upTo)
		w.ok(err)
		return cleared, done
	}
	cleared, done := clearTo(0)
	equal(w, "clear an empty conversation", fmt.Sprint(cleared, done), "0 false")
	for i := range 4 {
		w.send(d, other, fmt.Sprint("d", i+1))
	}
	cleared, done = clearTo(2)
	equal(w, "clear up to a message", fmt.Sprint(cleared, done), "2 true")
	equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), me)), 2)
	got, total := w.history(chat.MessageQuery{UserID: me, ConversationID: d, Limit: 10})
	equal(w, "history, the newest first", fmt.Sprint(got, total), "[d4 d3] 2")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, Limit: 10, Offset: 1})
	equal(w, "history with an offset", fmt.Sprint(got, total), "[d3] 2")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, BeforeSeq: 3, Limit: 10})
	equal(w, "history before the first message that is left", fmt.Sprint(got, total), "[] 0")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, Ascending: true, Limit: 10})
	equal(w, "history, the oldest first, without a gap in seq", fmt.Sprintf("%q %d", got, total), `["" "" "d3" "d4"] 4`)
	cleared, done = clearTo(1)
	equal(w, "clear up to an earlier message", fmt.Sprint(cleared, done), "2 false")
	cleared, done = clearTo(0)
	equal(w, "clear all", fmt.Sprint(cleared, done), "4 true")
	equal(w, "no dialog", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))), 0)
	equal(w, "nothing unread", must[int64](w)(w.Unread(w.ctx(), me)), 0)
	equal(w, "dialogs of the other user", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), other, 10, 0))), 1)
	equal(w, "hiders of the message", must[[]int64](w)(w.Hiders(w.ctx(), d, 4)), []int64{me})
	got, _ = w.history(chat.MessageQuery{UserID: me, Limit: 10})
	equal(w, "messages of all conversations", got, []string{"", "", "", ""})
	w.send(d, other, "d5")
	dialogs := must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))
	equal(w, "dialogs after a new message", fmt.Sprint(len(dialogs), dialogs[0].UnreadCount, dialogs[0].LastMessage.Content), "1 1d5")
	cleared, _ = clearTo(1 << 40)
	equal(w, "clear up to a seq that does not exist yet", cleared, 5)
}
