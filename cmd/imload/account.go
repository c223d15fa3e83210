package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// An account is a user of this run.
type account struct {
	id    int64
	token string
}

// signUp registers n accounts, a few at a time, because each costs the server a password hash. Their phones begin
// with the time, so that runs do not collide.
func signUp(ctx context.Context, o options, tell func(string, ...any)) ([]account, error) {
	const atOnce = 4
	accounts := make([]account, o.users)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	stamp := time.Now().UnixMilli()
	for range atOnce {
		workers.Go(func() {
			for i := next.Add(1) - 1; int(i) < o.users && ctx.Err() == nil; i = next.Add(1) - 1 {
				a, err := register(ctx, o.base(int(i)), fmt.Sprintf("%d%05d", stamp, i))
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

func register(ctx context.Context, url, phone string) (account, error) {
	var answer struct {
		Token string
		User  struct{ ID int64 }
	}
	err := call(ctx, http.MethodPost, url+"/api/auth/register", "", map[string]string{"phone": phone, "password": "imload-password"}, &answer)
	return account{id: answer.User.ID, token: answer.Token}, err
}

// makeGroup creates a group with all accounts, owned by the first.
func makeGroup(ctx context.Context, url string, accounts []account) (int64, error) {
	ids := make([]int64, len(accounts))
	for i, a := range accounts {
		ids[i] = a.id
	}
	var answer struct{ ID int64 }
	err := call(ctx, http.MethodPost, url+"/api/chats", accounts[0].token, map[string]any{"title": "imload", "member_ids": ids[1:]}, &answer)
	return answer.ID, err
}

// call sends body as JSON, if it is not nil, and decodes the data of the answer.
func call(ctx context.Context, method, url, token string, body, data any) error {
	if body == nil {
		return request(ctx, method, url, token, "", nil, data)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return request(ctx, method, url, token, "application/json", bytes.NewReader(text), data)
}

// request sends a request and decodes the data of the answer, unless data is nil.
func request(ctx context.Context, method, url, token, contentType string, body io.Reader, data any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s %s", method, url, res.Status, strings.TrimSpace(string(answer)))
	}
	if data == nil {
		return nil
	}
	return json.Unmarshal(answer, &struct{ Data any }{data})
}
