package storetest

import (
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func (w *world) backlog() chat.Backlog {
	w.Helper()
	return must[chat.Backlog](w)(w.Backlog(w.ctx()))
}

// testBacklog checks what Backlog counts while reports and deletions wait, and after they
// are done.
func testBacklog(w *world) {
	equal(w, "empty store", w.backlog(), chat.Backlog{})

	u := w.users(3)
	reported := w.stored()
	r := w.report(u[0], u[1], 0)
	w.now = w.now.Add(time.Minute)
	w.report(u[1], u[0], 0)
	equal(w, "reports", w.backlog().Reports, chat.Waiting{N: 2, Since: reported})
	w.ok(w.handle(r.ID, chat.ReportDismiss))
	equal(w, "a report", w.backlog().Reports, chat.Waiting{N: 1, Since: w.stored()})

	deleted := w.stored()
	must[[]string](w)(w.DeleteUser(w.ctx(), u[2], 0, w.now))
	w.now = w.now.Add(time.Minute)
	must[[]string](w)(w.DeleteUser(w.ctx(), u[1], 0, w.now))
	equal(w, "deletions", w.backlog().Deletions, chat.Waiting{N: 2, Since: deleted})
	w.ok(w.Left(w.ctx(), u[2]))
	equal(w, "a deletion", w.backlog().Deletions, chat.Waiting{N: 1, Since: w.stored()})
	w.ok(w.Left(w.ctx(), u[1]))
	equal(w, "no deletion", w.backlog().Deletions, chat.Waiting{})

	f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Size: 1000, Key: "k"}, chat.Quota{}))
	must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[0], Size: 10, Key: "l"}, chat.Quota{}))
	equal(w, "bytes of files", w.backlog().FileBytes, int64(1010))
	w.ok(w.DeleteFile(w.ctx(), f.ID))
	equal(w, "bytes of a file", w.backlog().FileBytes, int64(10))
}

// testUnindexed: a message counts as unindexed until IndexMessages has examined it, even if
// it is in no block then.
func testUnindexed(w *world) {
	u := w.user()
	d := w.direct(u, u)
	sent := w.stored()
	w.send(d, u, "first")
	w.now = w.now.Add(time.Minute)
	w.send(d, u, "second")
	w.send(d, u, "third")
	equal(w, "unindexed messages", w.backlog().Unindexed, chat.Waiting{N: 3, Since: sent})
	must[chat.Indexed](w)(w.IndexMessages(w.ctx(), w.stored(), 10))
	equal(w, "unindexed messages, after the first was indexed", w.backlog().Unindexed, chat.Waiting{N: 2, Since: w.stored()})
	w.index()
	equal(w, "unindexed messages, after all were indexed", w.backlog().Unindexed, chat.Waiting{})
}
