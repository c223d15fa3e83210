package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// load does one run and returns what became of it.
func load(ctx context.Context, o options, progress io.Writer) (result, error) {
	p := newProgress(progress)
	defer p.end()
	before, err := usageOf(o.pid)
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

func connect(ctx context.Context, o options, accounts []account, t *tally, tell func(string, ...any)) ([]*client, error) {
	clients := make([]*client, 0, len(accounts)*o.devices)
	for range o.devices {
		for _, a := range accounts {
			c, err := dial(ctx, o.url, a, t)
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

// idle holds the connections, and tells what the server's memory has grown by
// since before the first account.
func idle(ctx context.Context, o options, before usage, connections int, tell func(string, ...any)) (result, error) {
	for left := o.duration; left > 0 && ctx.Err() == nil; left -= time.Second {
		tell("%d connections idle, %v to go", connections, left)
		wait(ctx, min(left, time.Second))
	}
	after, err := usageOf(o.pid)
	r := result{Mode: o.mode, Connections: connections}
	if o.pid != 0 {
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

// A plan says who sends each message, and who is to receive it.
type plan struct {
	o       options
	id      string
	clients []*client
	users   int
	group   int64
}

func newPlan(ctx context.Context, o options, accounts []account, clients []*client) (*plan, error) {
	p := &plan{o: o, id: strconv.FormatInt(time.Now().UnixNano(), 36), clients: clients, users: len(accounts)}
	var err error
	if o.mode == "group" {
		p.group, err = makeGroup(ctx, o.url, accounts)
	}
	return p, err
}

// sender of message n: the first user in a group, each in turn in pairs.
func (p *plan) sender(n int) int {
	if p.o.mode == "group" {
		return 0
	}
	return n % p.users
}

func (p *plan) receiver(n int) int { return (n%p.users + 1) % p.users }

// receives tells whether client i is to get message n: in a group everyone, in
// a pair the two users' devices, but never the connection that sent it.
func (p *plan) receives(i, n int) bool {
	user := i % p.users
	switch {
	case i == p.sender(n):
		return false
	case p.o.mode == "group":
		return true
	}
	return user == p.sender(n) || user == p.receiver(n)
}

func (p *plan) send(ctx context.Context, n int) error {
	from := p.clients[p.sender(n)]
	if p.o.mode == "group" {
		return from.send(ctx, p.id, n, p.o.size, "chat_id", p.group)
	}
	return from.send(ctx, p.id, n, p.o.size, "receiver_id", p.clients[p.receiver(n)].account.id)
}

// run sends for the duration, waits for the last deliveries, and counts.
func (p *plan) run(ctx context.Context, t *tally, tell func(string, ...any)) (result, error) {
	before, err := usageOf(p.o.pid)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	sent := 0
	for ctx.Err() == nil && time.Since(start) < p.o.duration {
		// Late ones are made up for, so that the rate is kept.
		for due := int(time.Since(start).Seconds() * p.o.rate); sent <= due; sent++ {
			if err := p.send(ctx, sent); err != nil {
				return result{}, fmt.Errorf("send message %d: %w", sent, err)
			}
		}
		tell("%s", t.line(sent, time.Since(start)))
		wait(ctx, time.Duration(float64(time.Second)/max(p.o.rate, 200)))
	}
	took := time.Since(start)
	expected := p.expected(sent)
	t.await(ctx, sent, expected, p.o.drain, tell)
	after, err := usageOf(p.o.pid)
	if err != nil {
		return result{}, err
	}
	r := t.result()
	r.Mode, r.Connections, r.Sent, r.Seconds, r.Expected = p.o.mode, len(p.clients), sent, took.Seconds(), expected
	p.compare(&r, sent)
	if p.o.pid != 0 {
		r.ServerCPU, r.ServerRSS = (after.cpu - before.cpu).Seconds(), after.rss
		if r.Delivered > 0 {
			r.CPUPerMillion = r.ServerCPU / float64(r.Delivered) * 1e6
		}
	}
	return r, p.broken()
}

func (p *plan) expected(sent int) int {
	devices := len(p.clients) / p.users
	if p.o.mode == "group" {
		return sent * (len(p.clients) - 1)
	}
	return sent * (2*devices - 1)
}

// compare counts what was lost or came twice, message by message.
func (p *plan) compare(r *result, sent int) {
	for n := range sent {
		for i, c := range p.clients {
			if p.o.mode == "pairs" && !p.receives(i, n) {
				continue
			}
			want, got := 0, c.times(n)
			if p.receives(i, n) {
				want = 1
			}
			r.Lost += max(0, want-got)
			r.Doubled += max(0, got-want)
		}
	}
}

// broken tells of a connection that the server closed.
func (p *plan) broken() error {
	for _, c := range p.clients {
		select {
		case <-c.done:
			return fmt.Errorf("the server closed a connection: %w", c.err)
		default:
		}
	}
	return nil
}
