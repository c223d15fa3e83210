package main

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
)

// load does one run and returns its result. It writes its progress to progress, if that is a terminal.
func load(ctx context.Context, o options, progress io.Writer) (result, error) {
	p := newProgress(progress)
	defer p.end()
	before, err := usageOf(o.pids)
	if err != nil {
		return result{}, err
	}
	accounts, err := signUp(ctx, o, p.tell)
	if err != nil {
		return result{}, err
	}
	t := newTally()
	clients, err := connect(ctx, o, accounts, t, p.tell)
	defer closeAll(clients)
	if err != nil {
		return result{}, err
	}
	if o.mode == "idle" {
		return idle(ctx, o, before, len(clients), p.tell)
	}
	plan, err := newPlan(ctx, o, accounts, clients)
	if err != nil {
		return result{}, err
	}
	return plan.run(ctx, t, p.tell)
}

func connect(ctx context.Context, o options, accounts []imclient.Account, t *tally, tell func(string, ...any)) ([]*client, error) {
	clients := make([]*client, 0, len(accounts)*o.devices)
	for range o.devices {
		for _, a := range accounts {
			c, err := dial(ctx, a.At(o.base(len(clients))), t)
			if err != nil {
				return clients, err
			}
			clients = append(clients, c)
			tell("%d of %d connections", len(clients), cap(clients))
		}
	}
	return clients, nil
}

func closeAll(clients []*client) {
	var closing sync.WaitGroup
	for _, c := range clients {
		closing.Go(c.close)
	}
	closing.Wait()
}

// idle keeps the connections open, and measures how much the server's memory has grown since before the first
// account.
func idle(ctx context.Context, o options, before usage, connections int, tell func(string, ...any)) (result, error) {
	for left := o.duration; left > 0 && ctx.Err() == nil; left -= time.Second {
		tell("%d connections idle, %v to go", connections, left)
		wait(ctx, min(left, time.Second))
	}
	after, err := usageOf(o.pids)
	r := result{Mode: o.mode, Connections: connections}
	if len(o.pids) > 0 {
		r.ServerRSS = after.rss
		r.RSSPerConnection = (after.rss - before.rss) / int64(connections)
	}
	return r, err
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
