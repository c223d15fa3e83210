package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/onemeter/onemeter/internal/imclient"
)

// Parameters of a mixed run.
const (
	idleOf    = 5  // one of so many users only listens
	groupSize = 10 // users; all others are in a group
	perTen    = 3  // so many of ten messages go to a group
)

// A plan says who sends each message and who must receive it. Client i is a device of user i modulo the number of
// users.
type plan struct {
	o       options
	id      string
	clients []*client
	users   int
	active  int // users who send: the first ones
	groups  []group
	actions *actions // nil except in a mixed run
}

// A group has the users from first up to, but not including, last.
type group struct {
	id          int64
	first, last int
}

// A route says which client sends a message, and to which user or group.
type route struct {
	from, peer int
	group      *group
}

func newPlan(ctx context.Context, o options, accounts []imclient.Account, clients []*client) (*plan, error) {
	p := &plan{o: o, id: strconv.FormatInt(time.Now().UnixNano(), 36), clients: clients, users: len(accounts), active: len(accounts)}
	size := 0
	switch o.mode {
	case "group":
		size = p.users
	case "mixed":
		p.active, size = p.users-p.users/idleOf, groupSize
	}
	for first := 0; size > 0 && first < p.active; first += size {
		r := group{first: first, last: min(first+size, p.active)}
		if r.last-r.first < 2 {
			break
		}
		var err error
		if r.id, err = makeGroup(ctx, o.base(first), accounts[r.first:r.last]); err != nil {
			return nil, err
		}
		p.groups = append(p.groups, r)
	}
	return p, nil
}

// route returns the route of message n. In mode group the first user sends to all. In mode pairs the users take turns, and
// each sends to the next one. In mode mixed some messages go to a group, where groups and their members take turns, and the
// others are as in mode pairs.
func (p *plan) route(n int) route {
	switch {
	case p.o.mode == "group":
		return route{group: &p.groups[0]}
	case p.o.mode == "mixed" && n%10 < perTen:
		r := &p.groups[n/10%len(p.groups)]
		return route{from: r.first + n%(r.last-r.first), group: r}
	}
	return route{from: n % p.active, peer: (n%p.active + 1) % p.active}
}

// reaches reports whether client i must receive the message: every device of a group's members, or of the two users,
// except the connection that sent it.
func (r route) reaches(i, users int) bool {
	user := i % users
	switch {
	case i == r.from:
		return false
	case r.group != nil:
		return user >= r.group.first && user < r.group.last
	}
	return user == r.from || user == r.peer
}

// deliveries returns how many clients a message reaches.
func (r route) deliveries(devices int) int {
	if r.group != nil {
		return (r.group.last-r.group.first)*devices - 1
	}
	return 2*devices - 1
}

func (p *plan) send(ctx context.Context, n int) error {
	r := p.route(n)
	from, target, id := p.clients[r.from], "receiver_id", p.clients[r.peer].account.ID
	if r.group != nil {
		target, id = "chat_id", r.group.id
	}
	if p.actions != nil && n%typingEvery == 0 {
		if err := p.actions.typing(ctx, from, target, id); err != nil {
			return err
		}
	}
	return from.send(ctx, p.id, n, p.o.size, target, id)
}

// run sends messages for the duration, waits for the last deliveries, and counts.
func (p *plan) run(ctx context.Context, t *tally, tell func(string, ...any)) (result, error) {
	before, err1 := usageOf(p.o.pids)
	dbBefore, err2 := usageOf(p.o.dbPIDs)
	if err := errors.Join(err1, err2); err != nil {
		return result{}, err
	}
	if p.o.mode == "mixed" {
		p.actions = newActions(p, t)
		defer p.actions.wait()
	}
	start := time.Now()
	sent, expected := 0, 0
	for ctx.Err() == nil && time.Since(start) < p.o.duration {
		// This loop sends what is due, also after a delay, to keep the rate.
		for due := int(time.Since(start).Seconds() * p.o.rate); sent <= due; sent++ {
			if err := p.send(ctx, sent); err != nil {
				return result{}, fmt.Errorf("send message %d: %w", sent, err)
			}
			expected += p.route(sent).deliveries(p.o.devices)
		}
		tell("%s", t.line(sent, time.Since(start)))
		wait(ctx, time.Duration(float64(time.Second)/max(p.o.rate, 200)))
	}
	took := time.Since(start)
	t.await(ctx, sent, expected, p.o.drain, tell)
	if p.actions != nil {
		p.actions.wait()
	}
	after, err1 := usageOf(p.o.pids)
	dbAfter, err2 := usageOf(p.o.dbPIDs)
	if err := errors.Join(err1, err2); err != nil {
		return result{}, err
	}
	r := t.result()
	r.Mode, r.Connections, r.Sent, r.Seconds, r.Expected = p.o.mode, len(p.clients), sent, took.Seconds(), expected
	p.compare(&r, sent)
	r.spent(before, after)
	r.DBCPU = (dbAfter.cpu - dbBefore.cpu).Seconds()
	return r, p.broken()
}

// compare counts what was lost or came twice, message by message.
func (p *plan) compare(r *result, sent int) {
	for n := range sent {
		way := p.route(n)
		for i, c := range p.clients {
			want, got := 0, c.times(n)
			if way.reaches(i, p.users) {
				want = 1
			}
			r.Lost += max(0, want-got)
			r.Doubled += max(0, got-want)
		}
	}
}

// broken returns an error if the server has closed a connection, or the connection failed.
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
