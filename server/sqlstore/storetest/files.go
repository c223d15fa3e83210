package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func testFilesHaveQuotas(w *world) {
	u := w.users(2)
	create := func(owner, size int64, q chat.Quota) error {
		_, err := w.CreateFile(w.ctx(), chat.File{OwnerID: owner, Size: size, Key: fmt.Sprint(owner, size)}, q)
		return err
	}
	bytes := func(what string, owner, user, total int64) {
		w.Helper()
		gotUser, gotTotal, err := w.FileBytes(w.ctx(), owner)
		w.ok(err)
		equal(w, what, [2]int64{gotUser, gotTotal}, [2]int64{user, total})
	}
	bytes("nothing", u[0], 0, 0)
	q := chat.Quota{User: 100, Total: 150}
	w.ok(create(u[0], 100, q)) // exactly the quota
	w.is(create(u[0], 1, q), chat.ErrUserFull)
	w.ok(create(u[0], 0, q))
	w.is(create(u[1], 51, q), chat.ErrFull)
	w.ok(create(u[1], 50, q))
	bytes("what was refused is not counted", u[0], 100, 150)
	bytes("of the other", u[1], 50, 150)
	w.ok(create(u[1], 1000, chat.Quota{}))
	bytes("no quota", u[1], 1050, 1150)

	var wg sync.WaitGroup
	var stored atomic.Int64
	for range 16 { // five of them fit
		wg.Go(func() {
			switch err := create(u[0], 10, chat.Quota{User: 150}); {
			case err == nil:
				stored.Add(1)
			case !errors.Is(err, chat.ErrUserFull):
				w.Error(err)
			}
		})
	}
	wg.Wait()
	equal(w, "files that fit the quota", stored.Load(), 5)
	bytes("at once", u[0], 150, 1200)
}

func testNamedFiles(w *world) {
	u := w.user()
	var ids []int64
	for i := range 4 {
		f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{
			OwnerID: u, Size: 10, Key: fmt.Sprint("key ", i), CreatedAt: w.now.Add(time.Duration(i) * time.Minute),
		}, chat.Quota{}))
		ids = append(ids, f.ID)
	}
	w.ok(w.MarkFileDeleted(w.ctx(), ids[1]))
	named := func(what string, after int64, limit int, want ...int64) {
		w.Helper()
		var got []int64
		for _, f := range must[[]chat.File](w)(w.NamedFiles(w.ctx(), after, w.now.Add(3*time.Minute), limit)) {
			if got = append(got, f.ID); f.Size != 10 || f.Key != fmt.Sprint("key ", f.ID-ids[0]) {
				w.Fatalf("%s: wrong fields: %+v", what, f)
			}
		}
		equal(w, what, got, want)
	}
	named("without the deleted and the later one", 0, 10, ids[0], ids[2])
	named("the first", 0, 1, ids[0])
	named("those after it", ids[0], 10, ids[2])
	named("after the last", ids[3], 10)
}

func testUnusedFiles(w *world) {
	u := w.user()
	d := w.direct(u, u)
	var ids []int64
	for i := range 5 {
		f := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{
			OwnerID: u, Size: 10, Key: fmt.Sprint("key ", i), CreatedAt: w.now.Add(time.Duration(i) * time.Minute),
		}, chat.Quota{}))
		ids = append(ids, f.ID)
	}
	send := func(file int64) int64 {
		m := w.message(d, u, "x")
		m.Type, m.FileID = chat.TypeFile, file
		return w.sendAll(m)[0].ID
	}
	send(ids[1])
	recalled := send(ids[2])
	w.ok(w.RetractMessage(w.ctx(), recalled, true, w.now))
	unused := func(what string, after int64, limit int, wantLast int64, want ...int64) {
		w.Helper()
		files, last, err := w.UnusedFiles(w.ctx(), after, w.now.Add(4*time.Minute), limit)
		w.ok(err)
		var got []int64
		for _, f := range files {
			got = append(got, f.ID)
			if f.Key == "" || f.OwnerID != u || f.Size != 10 {
				w.Fatalf("%s: wrong fields: %+v", what, f)
			}
		}
		equal(w, what, got, want)
		equal(w, what+", last", last, wantLast)
	}
	unused("all that are old", 0, 10, 0, ids[0], ids[2], ids[3])
	unused("the first two", 0, 2, ids[1], ids[0])
	unused("behind them", ids[1], 2, ids[3], ids[2], ids[3])
	unused("behind all", ids[4], 2, 0)

	w.is(w.DeleteFile(w.ctx(), ids[1]), chat.ErrConflict)
	w.ok(w.DeleteFile(w.ctx(), ids[0]))
	w.is(w.DeleteFile(w.ctx(), ids[0]), chat.ErrNotFound)
	_, err := w.File(w.ctx(), ids[0])
	w.is(err, chat.ErrNotFound)
	user, total, err := w.FileBytes(w.ctx(), u)
	w.ok(err)
	equal(w, "bytes after the deletion", [2]int64{user, total}, [2]int64{40, 40})
}

// testDeletedFiles deletes a file that messages refer to. The messages and the id of the file
// stay, and its bytes no longer count.
func testDeletedFiles(w *world) {
	u := w.users(2)
	d := w.direct(u[0], u[1])
	var files []chat.File
	for i := range 3 {
		files = append(files, must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{
			OwnerID: u[0], Name: fmt.Sprint(i), Size: 10, Key: fmt.Sprint("key ", i), CreatedAt: w.now,
		}, chat.Quota{})))
	}
	m := w.message(d, u[0], "look")
	m.Type, m.FileID = chat.TypeFile, files[2].ID
	sent := w.sendAll(m)[0]
	equal(w, "newest first", must[[]chat.File](w)(w.FilesOf(w.ctx(), u[0], 2, 0)), []chat.File{files[2], files[1]})
	equal(w, "next page", must[[]chat.File](w)(w.FilesOf(w.ctx(), u[0], 2, 2)), files[:1])
	equal(w, "files of another user", must[[]chat.File](w)(w.FilesOf(w.ctx(), u[1], 2, 0)), nil)
	equal(w, "its conversations", must[[]int64](w)(w.FileConversations(w.ctx(), files[2].ID, 5)), []int64{d})

	w.ok(w.MarkFileDeleted(w.ctx(), files[2].ID))
	w.is(w.MarkFileDeleted(w.ctx(), files[2].ID), chat.ErrNotFound)
	w.is(w.MarkFileDeleted(w.ctx(), 1<<40), chat.ErrNotFound)
	_, err := w.File(w.ctx(), files[2].ID)
	w.is(err, chat.ErrNotFound)
	equal(w, "files after the deletion", must[[]chat.File](w)(w.FilesOf(w.ctx(), u[0], 5, 0)), []chat.File{files[1], files[0]})
	user, total, err := w.FileBytes(w.ctx(), u[0])
	w.ok(err)
	equal(w, "bytes after the deletion", [2]int64{user, total}, [2]int64{20, 20})
	got := must[chat.Message](w)(w.Message(w.ctx(), sent.ID))
	equal(w, "the message after its file was deleted", fmt.Sprintln(got.FileID == files[2].ID, got.FileGone, got.Content, got.Seq), "true true look 1\n")
	if r := must[[]chat.Appended](w)(w.Append(w.ctx(), []chat.NewMessage{m})); !errors.Is(r[0].Err, chat.ErrNoFile) {
		w.Fatalf("a message with a deleted file: %+v, want ErrNoFile", r)
	}
	next := must[chat.File](w)(w.CreateFile(w.ctx(), chat.File{OwnerID: u[1], Key: "next", CreatedAt: w.now}, chat.Quota{}))
	if next.ID == files[2].ID {
		w.Fatal("a new file got the id of a deleted one")
	}
	unused := func() (ids []int64) {
		w.Helper()
		list, _, err := w.UnusedFiles(w.ctx(), files[1].ID, w.now.Add(time.Minute), 10)
		w.ok(err)
		for _, f := range list {
			ids = append(ids, f.ID)
		}
		return ids
	}
	equal(w, "unused files before ForgetBytes", unused(), []int64{files[2].ID, next.ID})
	w.ok(w.ForgetBytes(w.ctx(), files[2].ID))
	equal(w, "unused files after ForgetBytes", unused(), []int64{next.ID})
	w.ok(w.RetractMessage(w.ctx(), sent.ID, true, w.now))
	equal(w, "unused files after the message was recalled", unused(), []int64{files[2].ID, next.ID})
	w.ok(w.DeleteFile(w.ctx(), files[2].ID))
	user, _, err = w.FileBytes(w.ctx(), u[0])
	w.ok(err)
	equal(w, "bytes after the row was deleted", user, 20)
}
