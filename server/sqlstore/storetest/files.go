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
	w.ok(create(u[0], 100, q)) // as much as there may be
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
	for range 16 { // of which five find room
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
	equal(w, "found room", stored.Load(), 5)
	bytes("at once", u[0], 150, 1200)
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
				w.Fatalf("%+v", f)
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
	equal(w, "room is made", [2]int64{user, total}, [2]int64{40, 40})
}
