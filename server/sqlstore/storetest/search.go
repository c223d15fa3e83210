package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// found returns the contents of all messages of a search, from all pages.
func (w *world) found(q chat.MessageSearch) (contents []string) {
	w.Helper()
	for q.BeforeID = 0; ; {
		f := must[chat.Found](w)(w.SearchMessages(w.ctx(), q))
		for _, m := range f.Messages {
			contents = append(contents, m.Content)
		}
		if f.Next == 0 {
			return contents
		}
		if len(f.Messages) > q.Limit || q.BeforeID != 0 && f.Next >= q.BeforeID {
			w.Fatalf("a search before %d found %d, and goes on before %d", q.BeforeID, len(f.Messages), f.Next)
		}
		q.BeforeID = f.Next
	}
}

// index indexes all messages that were created before now.
func (w *world) index() {
	w.Helper()
	for {
		if done := must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.now.Add(time.Hour), 100)); !done.More {
			return
		}
	}
}

func testSearchMessages(w *world) {
	me, other, stranger := w.user(), w.user(), w.user()
	d, g, foreign := w.direct(me, other), w.group(me, other), w.direct(other, stranger)
	for _, text := range []string{
		"Straße nach Köln", "the Quick brown fox", "今天天气很好", "東京タワーへ行く", "ｶﾀｶﾅ と ＡＢＣ", "Όμορφος κόσμος", "100% _sure_ \\ 'yes' \"no\"",
		"İstanbul", "a", "😀 smile", "two\nlines", "aaaa",
	} {
		w.send(d, me, text)
	}
	w.send(g, other, "quick, in the group")
	w.send(foreign, stranger, "quick, and not mine")
	check := func() {
		w.Helper()
		for _, c := range []struct{ q, want string }{
			{"quick", "quick, in the group|the Quick brown fox"},
			{"QUICK FOX", "the Quick brown fox"},
			{"fox quick", "the Quick brown fox"},
			{"uic", "quick, in the group|the Quick brown fox"},
			{"天", "今天天气很好"},
			{"天气", "今天天气很好"},
			{"天气很好", "今天天气很好"},
			{"气天", ""},
			{"タワー", "東京タワーへ行く"},
			{"カタカナ", "ｶﾀｶﾅ と ＡＢＣ"},
			{"abc", "ｶﾀｶﾅ と ＡＢＣ"},
			{"ΚΌΣΜΟΣ", "Όμορφος κόσμος"},
			{"KÖLN", "Straße nach Köln"},
			{"ko\u0308ln", "Straße nach Köln"},
			{"100%", `100% _sure_ \ 'yes' "no"`},
			{"_sure_", `100% _sure_ \ 'yes' "no"`},
			{`\`, `100% _sure_ \ 'yes' "no"`},
			{`"no"`, `100% _sure_ \ 'yes' "no"`},
			{"%", `100% _sure_ \ 'yes' "no"`},
			{"istanbul", "İstanbul"},
			{"😀", "😀 smile"},
			{"two lines", "two\nlines"},
			{"aaaa", "aaaa"},
			{"aaaaa", ""},
			{"mine", ""},
			{"", ""}, {" \n", ""}, {"\x00", ""}, {strings.Repeat("x ", 2000), "the Quick brown fox"},
		} {
			equal(w, fmt.Sprintf("%.20q", c.q), strings.Join(w.found(chat.MessageSearch{UserID: me, Text: c.q, Limit: 1}), "|"), c.want)
		}
		equal(w, "in one conversation", w.found(chat.MessageSearch{UserID: me, ConversationID: g, Text: "quick", Limit: 5}), []string{"quick, in the group"})
		equal(w, "in a conversation of others", w.found(chat.MessageSearch{UserID: me, ConversationID: foreign, Text: "quick", Limit: 5}), nil)
		equal(w, "search by a user who is not a member", w.found(chat.MessageSearch{UserID: 1 << 40, Text: "quick", Limit: 5}), nil)
		equal(w, "limit 0", w.found(chat.MessageSearch{UserID: me, Text: "quick"}), nil)
	}
	check()
	var filler []chat.NewMessage
	for i := range 40 { // enough for blocks of the index
		filler = append(filler, w.message(d, me, fmt.Sprint("filler ", i)), w.message(g, other, "filler"))
	}
	w.sendAll(filler...)
	w.index()
	check()
	equal(w, "status of a found message", must[chat.Found](w)(w.SearchMessages(w.ctx(), chat.MessageSearch{UserID: me, Text: "group", Limit: 5})).Messages[0].Status, chat.StatusSent)
	w.put(chat.Member{ConversationID: g, UserID: me, Banned: true})
	equal(w, "search by a banned member", w.found(chat.MessageSearch{UserID: me, Text: "quick", Limit: 5}), []string{"the Quick brown fox"})
}

// testSearchAgainstModel makes random changes that affect searches, and compares the results
// with those of a scan of all messages.
func testSearchAgainstModel(w *world) {
	r := rand.New(rand.NewPCG(uint64(w.now.Unix()), 1))
	words := strings.Fields("ab abc bcd xyz alpha beta gamma 天 天气 京都 東京都 ключ Ключ 😀 αβ")
	text := func() string {
		var b []string
		for range 1 + r.IntN(4) {
			b = append(b, words[r.IntN(len(words))])
		}
		return strings.Join(b, " ")
	}
	u := w.users(3)
	conversationIDs := []int64{w.direct(u[0], u[1]), w.group(u[0], u[1], u[2]), w.direct(u[0], u[0]), w.direct(u[0], u[2])}
	type sent struct {
		chat.Message
		gone, hidden bool // hidden: from u[0]
	}
	var model []*sent
	for round := range 60 {
		switch k := r.IntN(10); {
		case k < 5:
			var batch []chat.NewMessage
			for range 1 + r.IntN(50) {
				batch = append(batch, w.message(conversationIDs[r.IntN(1+round%len(conversationIDs))], u[0], text()))
			}
			for _, m := range w.sendAll(batch...) {
				model = append(model, &sent{Message: m})
			}
		case k < 6:
			must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.now.Add(time.Hour), 1+r.IntN(200)))
		case len(model) == 0:
		case k < 7:
			m := model[r.IntN(len(model))]
			if m.Content = text(); !m.gone {
				w.ok(w.EditMessage(w.ctx(), m.ID, m.Content, w.now.Add(time.Duration(round)*time.Second)))
			}
		case k < 8:
			m := model[r.IntN(len(model))]
			if !m.gone {
				w.ok(w.RetractMessage(w.ctx(), m.ID, r.IntN(2) == 0, w.now))
			}
			m.gone = true
		case k < 9 || r.IntN(3) > 0:
			m := model[r.IntN(len(model))]
			must[bool](w)(w.HideMessage(w.ctx(), u[0], m.ConversationID, m.Seq))
			m.hidden = true
		default:
			at := model[r.IntN(len(model))]
			upTo, _, err := w.ClearConversation(w.ctx(), u[0], at.ConversationID, at.Seq)
			w.ok(err)
			for _, m := range model {
				m.hidden = m.hidden || m.ConversationID == at.ConversationID && m.Seq <= upTo
			}
		}
		q := words[r.IntN(len(words))]
		if r.IntN(3) == 0 {
			q += " " + words[r.IntN(len(words))]
		}
		conversationID := int64(0)
		if r.IntN(3) == 0 {
			conversationID = conversationIDs[r.IntN(len(conversationIDs))]
		}
		var want []string
		for _, m := range slices.Backward(model) {
			match := !m.gone && !m.hidden && (conversationID == 0 || m.ConversationID == conversationID)
			for _, word := range strings.Fields(q) {
				match = match && strings.Contains(strings.ToLower(m.Content), strings.ToLower(word))
			}
			if match {
				want = append(want, m.Content)
			}
		}
		got := w.found(chat.MessageSearch{UserID: u[0], ConversationID: conversationID, Text: q, Limit: 1 + r.IntN(40)})
		equal(w, fmt.Sprintf("round %d, %q in %d", round, q, conversationID), got, want)
	}
}

// testIndexingUnderConcurrency edits messages while they are indexed twice.
func testIndexingUnderConcurrency(w *world) {
	u := w.user()
	d := w.direct(u, u)
	var batch []chat.NewMessage
	for range 320 {
		batch = append(batch, w.message(d, u, "before"))
	}
	messages := w.sendAll(batch...)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range 40 {
				if _, err := w.IndexMessages(w.ctx(), w.now.Add(time.Hour), 32); err != nil {
					w.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := 0; i < len(messages); i += 5 {
			if err := w.EditMessage(w.ctx(), messages[i].ID, "afterwards", w.now.Add(time.Duration(i)*time.Second)); err != nil {
				w.Error(err)
			}
		}
	})
	wg.Wait()
	w.index()
	equal(w, "edited", len(w.found(chat.MessageSearch{UserID: u, Text: "afterwards", Limit: 7})), 64)
	equal(w, "not edited", len(w.found(chat.MessageSearch{UserID: u, Text: "before", Limit: 100})), 256)
}

// testIndexingWaits: messages that are too new are not indexed, because messages with smaller
// ids may still be in a transaction.
func testIndexingWaits(w *world) {
	u := w.user()
	d := w.direct(u, u)
	equal(w, "indexed of no messages", must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.stored(), 10)), chat.Indexed{})
	w.send(d, u, "old")
	w.now = w.now.Add(time.Minute)
	w.send(d, u, "new")
	equal(w, "indexed of messages that are old enough", must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.stored(), 10)), chat.Indexed{Messages: 1})
	equal(w, "indexed the second time", must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.stored(), 10)), chat.Indexed{})
	equal(w, "indexed later, limited to 1", must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.now.Add(time.Second), 1)), chat.Indexed{Messages: 1, More: true})
}
