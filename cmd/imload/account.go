package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
)

// signUp registers o.users accounts, a few at a time, because each costs the server a password hash. Their phone numbers
// begin with the time, so that runs do not collide.
func signUp(ctx context.Context, o options, tell func(string, ...any)) ([]imclient.Account, error) {
	const atOnce = 4
	accounts := make([]imclient.Account, o.users)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	stamp := time.Now().UnixMilli()
	for range atOnce {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < o.users && ctx.Err() == nil; i = next.Add(1) - 1 {
				phone := fmt.Sprintf("%d%05d", stamp, i)
				a, err := imclient.Register(ctx, o.base(int(i)), imclient.Profile{Phone: phone, Password: "imload-password"})
				if err != nil {
					cancel(err)
					return
				}
				accounts[i] = a
				tell("%d of %d accounts", done.Add(1), o.users)
			}
		})
	}
	workers.Wait()
	return accounts, context.Cause(ctx)
}

// makeGroup creates a group with all accounts, owned by the first.
func makeGroup(ctx context.Context, url string, accounts []imclient.Account) (int64, error) {
	ids := make([]int64, len(accounts))
	for i, a := range accounts {
		ids[i] = a.ID
	}
	var answer struct{ ID int64 }
	err := accounts[0].At(url).Do(ctx, http.MethodPost, "/api/chats", map[string]any{"title": "imload", "member_ids": ids[1:]}, &answer)
	return answer.ID, err
}
