package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

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
