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
	equal(w, "hidden", hide(2), true)
	equal(w, "twice", hide(2), false)
	equal(w, "the last", hide(4), true)
	pages(me, "", "g3", "", "g1")
	pages(other, "g4", "g3", "g2", "g1")
	list, _, err := w.Messages(w.ctx(), chat.MessageQuery{UserID: me, ConversationID: g, Limit: 1})
	w.ok(err)
	equal(w, "keeps its place", fmt.Sprint(list[0].Seq, list[0].Hidden, list[0].Deleted, list[0].SenderID), fmt.Sprint(4, true, true, other))
	got, _ := w.history(chat.MessageQuery{UserID: me, ConversationID: g, Ascending: true, Limit: 10, Whole: true})
	equal(w, "whole", got, []string{"g1", "g2", "g3", "g4"})
	got, total := w.history(chat.MessageQuery{UserID: me, Limit: 10})
	equal(w, "of all", fmt.Sprint(got, total), fmt.Sprint([]string{"d1", "", "g3", "", "g1"}, 5))

	last := func(user int64, place int) string {
		w.Helper()
		m := must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), user, 10, 0))[place].LastMessage
		if m == nil {
			return "none"
		}
		return m.Content
	}
	equal(w, "last message", last(me, 1), "g3")
	equal(w, "of the other", last(other, 1), "g4")
	equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), me)), 3)
	equal(w, "unread there", must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))[1].UnreadCount, 2)
	hide(1)
	hide(3)
	equal(w, "all hidden", last(me, 1), "none")
	hidden := func(seq int64) bool { w.Helper(); return must[bool](w)(w.Hidden(w.ctx(), me, g, seq)) }
	equal(w, "tells", fmt.Sprint(hidden(1), hidden(5)), "true false")
	equal(w, "who", must[[]int64](w)(w.Hiders(w.ctx(), g, 1)), []int64{me})
	equal(w, "nobody", must[[]int64](w)(w.Hiders(w.ctx(), d, 1)), nil)

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
	equal(w, "at once", first.Load(), 1)
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
	equal(w, "nothing to clear", fmt.Sprint(cleared, done), "0 false")
	for i := range 4 {
		w.send(d, other, fmt.Sprint("d", i+1))
	}
	cleared, done = clearTo(2)
	equal(w, "in part", fmt.Sprint(cleared, done), "2 true")
	equal(w, "unread", must[int64](w)(w.Unread(w.ctx(), me)), 2)
	got, total := w.history(chat.MessageQuery{UserID: me, ConversationID: d, Limit: 10})
	equal(w, "downward it ends there", fmt.Sprint(got, total), "[d4 d3] 2")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, Limit: 10, Offset: 1})
	equal(w, "offset", fmt.Sprint(got, total), "[d3] 2")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, BeforeSeq: 3, Limit: 10})
	equal(w, "before", fmt.Sprint(got, total), "[] 0")
	got, total = w.history(chat.MessageQuery{UserID: me, ConversationID: d, Ascending: true, Limit: 10})
	equal(w, "upward there is no gap", fmt.Sprintf("%q %d", got, total), `["" "" "d3" "d4"] 4`)
	cleared, done = clearTo(1)
	equal(w, "never back", fmt.Sprint(cleared, done), "2 false")
	cleared, done = clearTo(0)
	equal(w, "wholly", fmt.Sprint(cleared, done), "4 true")
	equal(w, "no dialog", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))), 0)
	equal(w, "nothing unread", must[int64](w)(w.Unread(w.ctx(), me)), 0)
	equal(w, "the other's", len(must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), other, 10, 0))), 1)
	equal(w, "who", must[[]int64](w)(w.Hiders(w.ctx(), d, 4)), []int64{me})
	got, _ = w.history(chat.MessageQuery{UserID: me, Limit: 10})
	equal(w, "of all", got, []string{"", "", "", ""})
	w.send(d, other, "d5")
	dialogs := must[[]chat.Dialog](w)(w.Dialogs(w.ctx(), me, 10, 0))
	equal(w, "it goes on", fmt.Sprint(len(dialogs), dialogs[0].UnreadCount, dialogs[0].LastMessage.Content), "1 1d5")
	cleared, _ = clearTo(1 << 40)
	equal(w, "no further than the last", cleared, 5)
}
