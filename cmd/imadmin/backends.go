package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	askEvery    = 2 * time.Second
	askWithin   = 3 * time.Second
	maxReadyzes = 64 << 10 // bytes of an answer from /readyz
)

// backends are the imservers behind imadmin. They are safe for concurrent use.
type backends struct {
	all    []*backend // in the order of --backend
	log    *slog.Logger
	client http.Client
}

// A backend is an imserver and its last known state.
type backend struct {
	name string // host:port
	url  *url.URL

	mu    sync.Mutex
	known bool  // whether err is the result of a check
	err   error // why it is not ready, or nil if it is
}

// errNotAsked is the state of a backend before its first check.
var errNotAsked = errors.New("not asked yet")

func newBackends(at addresses, log *slog.Logger) *backends {
	b := &backends{log: log, client: http.Client{
		Transport:     transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, address := range at {
		u, err := url.Parse(address)
		if err != nil {
			panic(err) // addresses.Set has parsed it
		}
		b.all = append(b.all, &backend{name: u.Host, url: u, err: errNotAsked})
	}
	return b
}

// watch checks every backend every 2 s until ctx ends. The caller waits for the
// returned group.
func (b *backends) watch(ctx context.Context) *sync.WaitGroup {
	var asking sync.WaitGroup
	for _, one := range b.all {
		asking.Go(func() {
			tick := time.NewTicker(askEvery)
			defer tick.Stop()
			for {
				err := b.ask(ctx, one)
				if ctx.Err() != nil {
					return
				}
				b.found(one, err)
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	return &asking
}

// ask requests /readyz of a backend. It returns why the backend is not ready, or nil
// if it is.
func (b *backends) ask(ctx context.Context, one *backend) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, one.url.JoinPath("/readyz").String(), nil)
	if err != nil {
		return err
	}
	res, err := b.client.Do(req)
	if err != nil {
		return plain(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxReadyzes))
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var answer struct {
		Parts map[string]string `json:"parts"`
	}
	_ = json.Unmarshal(body, &answer)
	var down []string
	for _, part := range slices.Sorted(maps.Keys(answer.Parts)) {
		if state := answer.Parts[part]; state != "ok" {
			down = append(down, part+" is "+state)
		}
	}
	if res.StatusCode == http.StatusServiceUnavailable && len(down) > 0 {
		return fmt.Errorf("it is not ready: %s", strings.Join(down, ", "))
	}
	return fmt.Errorf("/readyz answers %s: is this an imserver?", res.Status)
}

// plain removes the method and the URL from an error, because the log line already
// names the backend.
func plain(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			return fmt.Errorf("no answer within %s", askWithin)
		}
		return u.Err
	}
	return err
}

// found stores the state of a backend, and logs it if it has changed.
func (b *backends) found(one *backend, err error) {
	one.mu.Lock()
	before, known := one.err, one.known
	one.err, one.known = err, true
	one.mu.Unlock()
	switch {
	case err == nil && (!known || before != nil):
		b.log.Info("backend is ready", "backend", one.url.String())
	case err != nil && (!known || before == nil || before.Error() != err.Error()):
		b.log.Warn("backend is not ready; imadmin keeps checking", "backend", one.url.String(), "err", err)
	}
}

// state returns why the backend was not ready at the last check, or nil.
func (b *backend) state() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// anyReady reports whether a backend was ready at the last check.
func (b *backends) anyReady() bool {
	return slices.ContainsFunc(b.all, func(one *backend) bool { return one.state() == nil })
}

// numbered returns the backend with this number, counted from 1, or nil.
func (b *backends) numbered(text string) *backend {
	if n, err := strconv.Atoi(text); err == nil && 0 < n && n <= len(b.all) {
		return b.all[n-1]
	}
	return nil
}

// inOrder returns all backends in the order in which to try them: ready ones
// first, then the others, which may have recovered since the last check.
func (b *backends) inOrder() []*backend {
	var ready, others []*backend
	for _, one := range b.all {
		if one.state() == nil {
			ready = append(ready, one)
		} else {
			others = append(others, one)
		}
	}
	return append(ready, others...)
}
