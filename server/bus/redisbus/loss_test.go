package redisbus_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/redisconn/redistest"
)

// checkSince wants the one resume of n to cover what happened from lost on, and
// not much more.
func checkSince(t *testing.T, n *node, lost time.Time) {
	t.Helper()
	needs.Eventually(t, "resume is called", func() bool { return len(n.resumed()) > 0 })
	since := n.resumed()[0]
	if since.After(lost) || lost.Sub(since) > 2*time.Second {
		t.Errorf("resumed since %v, lost since %v", since, lost)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.missed == 0 {
		t.Error("who listens was not told")
	}
}

// TestSubscriptionIsKilled closes connections by CLIENT KILL.
func TestSubscriptionIsKilled(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	met(t, a, b)
	lost := time.Now()
	if err := a.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	for _, n := range []*node{a, b} {
		checkSince(t, n, lost)
	}
	met(t, a, b)
	a.publish(t, 1)
	b.has(t, 1)
	if s := b.Stats(); s.Reconnects != 1 || s.Resumes != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRedisDies and comes back empty: messages go on here meanwhile, and what
// waited is published then.
func TestRedisDies(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	met(t, a, b)
	a.publish(t, 1)
	b.has(t, 1)
	lost := time.Now()
	server.Stop()
	needs.Eventually(t, "it is noticed", func() bool { return !a.Hears() && !b.Hears() })
	began := time.Now()
	for seq := range int64(1000) {
		a.publish(t, seq+2)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("publishing 1000 events took %v", took)
	}
	if got := len(a.got()); got != 1001 {
		t.Errorf("%d events are here", got)
	}
	server.Start()
	met(t, a, b)
	checkSince(t, b, lost)
	a.publish(t, 1002)
	b.has(t, 1002)
}

// TestRedisHangs: nothing is closed, nothing answers.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	var log lines
	cfg := quick("x:")
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	met(t, a, b)
	lost := time.Now()
	server.Pause()
	a.publish(t, 1)
	needs.Eventually(t, "it is noticed", func() bool { return !a.Hears() && !b.Hears() })
	needs.Eventually(t, "both lose patience", func() bool { return log.count("not heard") == 2 })
	server.Continue()
	checkSince(t, b, lost)
	met(t, a, b)
	a.publish(t, 2)
	b.has(t, 2)
}

// TestRedisHangsForAMoment, and nothing is lost.
func TestRedisHangsForAMoment(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	met(t, a, b)
	server.Pause()
	a.publish(t, 1)
	needs.Eventually(t, "it is noticed", func() bool { return !a.Hears() && !b.Hears() })
	server.Continue()
	b.has(t, 1)
	met(t, a, b)
	if s := b.Stats(); s.Reconnects+s.Lost != 0 || len(b.resumed()) != 0 {
		t.Errorf("%+v", s)
	}
}

// lines are a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// TestPausedClients hold back what is published, and lose nothing.
func TestPausedClients(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	cfg := quick("x:")
	cfg.Beat = time.Second // not long enough for anyone to lose patience
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	met(t, a, b)
	if err := a.client.Do(t.Context(), "CLIENT", "PAUSE", 300, "WRITE").Err(); err != nil {
		t.Fatal(err)
	}
	for seq := range int64(100) {
		a.publish(t, seq+1)
	}
	if got := b.waitFor(t, 100); !slices.Equal(got, upTo(100)) {
		t.Errorf("got %v", got)
	}
	if s := b.Stats(); s.Lost != 0 || s.Reconnects != 0 {
		t.Errorf("%+v", s)
	}
}

// TestRedisIsAwayAtTheStart: nothing waits for it, and everything heals.
func TestRedisIsAwayAtTheStart(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	server.Stop()
	began := time.Now()
	a, b := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	a.publish(t, 1)
	if first, err := a.Connected(t.Context(), 7); !first || err != nil {
		t.Error(first, err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("starting took %v", took)
	}
	a.has(t, 1)
	server.Start()
	met(t, a, b)
	checkSince(t, b, began.Add(2*time.Second))
	needs.Eventually(t, "presence is written", func() bool { is, _ := b.Online(t.Context(), []int64{7}); return is[7] })
}

// TestReconnectsAreFew counts the connections that a node tries while Redis
// takes every one and closes it again.
func TestReconnectsAreFew(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	n := newNode(t, server.URL(), quick("x:"))
	admin := connect(t, server.URL())
	before := connections(t, admin)
	for end := time.Now().Add(2 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		_ = admin.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err()
	}
	// 50 ms, doubling: six tries or so, and each connects a second time before
	// the library tells of it.
	if tries := connections(t, admin) - before; tries > 40 {
		t.Errorf("%d connections in 2 s", tries)
	}
	needs.Eventually(t, "it heals", n.Hears)
}

func connections(t *testing.T, c redis.UniversalClient) int {
	t.Helper()
	n, err := c.InfoMap(t.Context(), "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	var total int
	for _, r := range n["Stats"]["total_connections_received"] {
		total = total*10 + int(r-'0')
	}
	return total
}

// TestQueueIsBounded: the oldest go, and the other node finds out.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	cfg := quick("x:")
	cfg.QueueEvents = 50
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	met(t, a, b)
	server.Stop()
	for seq := range int64(1000) {
		a.publish(t, seq+1)
	}
	if s := a.Stats(); s.Queued > 50 || s.Dropped < 600 {
		t.Errorf("%+v", s)
	}
	server.Start()
	needs.Eventually(t, "the queue is empty", func() bool { return a.Stats().Queued == 0 })
	needs.Eventually(t, "the other node makes up for it", func() bool { return b.Stats().Resumes > 0 })

	cfg.QueueEvents, cfg.QueueBytes = 0, 10_000
	c := idleNode(t, server.URL(), cfg)
	for seq := range int64(1000) {
		c.publish(t, seq)
	}
	if s := c.Stats(); s.Queued < 20 || s.Queued > 200 || s.Dropped+uint64(s.Queued) != 1000 {
		t.Errorf("%+v", s)
	}
}

// TestLossWithoutDisconnect: a node whose own queue overflowed is found out by
// the numbers, also by a beat when nothing follows.
func TestLossWithoutDisconnect(t *testing.T) {
	for _, follows := range []bool{true, false} {
		url, prefix := needs.Redis(t)
		b := newNode(t, url, quick(prefix))
		other := connect(t, url)
		tell := func(text string) {
			t.Helper()
			if err := other.Publish(t.Context(), prefix+"bus", text).Err(); err != nil {
				t.Fatal(err)
			}
		}
		lost := time.Now().Add(-time.Minute).Truncate(time.Microsecond) // its clock is behind
		stamp := redisbus.Line("other", 5, lost, "beat")
		tell(stamp)
		tell(redisbus.Line("other", 6, lost, "event") + "{\"seq\":6}\n")
		b.has(t, 6)
		if follows {
			tell(redisbus.Line("other", 9, time.Now(), "event") + "{\"seq\":9}\n")
			b.has(t, 9)
		} else {
			tell(redisbus.Line("other", 8, time.Now(), "beat"))
		}
		needs.Eventually(t, "resume is called", func() bool { return len(b.resumed()) == 1 })
		if since := b.resumed()[0]; !since.Equal(lost) {
			t.Errorf("since %v, want %v", since, lost)
		}
		if s := b.Stats(); s.Lost != 2 {
			t.Errorf("%+v", s)
		}
		tell(redisbus.Line("other", 7, time.Now(), "event") + "{\"seq\":7}\n") // published again
		tell(redisbus.Line("other", 10, time.Now(), "event") + "{\"seq\":10}\n")
		b.has(t, 10)
		if got := b.waitFor(t, 1); slices.Contains(got, 7) {
			t.Errorf("out of order: %v", got)
		}
	}
}

// TestEveryLossIsCovered publishes all the time while connections break: what a
// node did not get was published after the since of a later resume.
func TestEveryLossIsCovered(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	cfg := quick("x:")
	cfg.QueueEvents = 100
	a, b := newNode(t, server.URL(), cfg), newNode(t, server.URL(), cfg)
	met(t, a, b)
	admin := connect(t, server.URL())
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for seq := int64(1); ; seq++ {
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
				_ = a.Publish(context.Background(), event(seq))
			}
		}
	}()
	for round := range 6 {
		resumes := b.Stats().Resumes
		switch round % 3 {
		case 0:
			_ = admin.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err()
		case 1:
			_ = admin.ClientKillByFilter(t.Context(), "TYPE", "normal").Err()
		case 2:
			server.Stop()
			needs.Eventually(t, "it is noticed", func() bool { return !b.Hears() })
			server.Start()
		}
		if round%3 != 1 {
			needs.Eventually(t, "it is made up for", func() bool { return b.Stats().Resumes > resumes })
		}
	}
	close(stop)
	<-stopped
	met(t, a, b)
	needs.Eventually(t, "the queue is empty", func() bool { return a.Stats().Queued == 0 })
	needs.Eventually(t, "the last loss is made up for", func() bool { return coverAll(a, b) < 0 })
	t.Logf("%d of %d events came, %d resumes; %+v", b.len(), a.len(), len(b.resumed()), a.Stats())
}

// coverAll returns the number of an event that b neither got nor can have
// loaded, or -1.
func coverAll(a, b *node) int64 {
	got := make(map[int64]bool)
	for _, e := range b.got() {
		got[e.Seq] = true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range a.got() {
		covered := got[e.Seq]
		for i, since := range b.resumes {
			covered = covered || since.Before(e.At) && b.calls[i].After(e.At)
		}
		if !covered {
			return e.Seq
		}
	}
	return -1
}

// TestNodeThatWasCutOff comes back after it was given up, and has lost events
// meanwhile.
func TestNodeThatWasCutOff(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	b := newNode(t, server.URL(), quick("x:"))
	other := connect(t, server.URL())
	sent := time.Now().Truncate(time.Microsecond)
	tell := func(text string) { other.Publish(t.Context(), "x:bus", text) }
	tell(redisbus.Line("other", 5, sent, "beat"))
	needs.Eventually(t, "it is heard", func() bool { return b.Stats().Nodes == 1 })
	needs.Eventually(t, "it is gone", func() bool { return b.Stats().Nodes == 0 })
	if err := other.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	needs.Eventually(t, "the subscription is new", func() bool { return b.Stats().Resumes == 1 })
	tell(redisbus.Line("other", 7, time.Now(), "beat"))
	needs.Eventually(t, "the loss is noticed", func() bool { return b.Stats().Resumes == 2 })
	if since := b.resumed()[1]; !since.Equal(sent) || b.Stats().Lost != 2 {
		t.Errorf("since %v, want %v; %+v", since, sent, b.Stats())
	}
}

func TestResumeIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.New(t)
	n := idleNode(t, server.URL(), quick("x:"))
	n.resume = func() error {
		if len(n.resumes) < 3 {
			return errors.New("the database is away")
		}
		return nil
	}
	n.Start(t.Context())
	needs.Eventually(t, "it hears", n.Hears)
	if err := n.client.ClientKillByFilter(t.Context(), "TYPE", "pubsub").Err(); err != nil {
		t.Fatal(err)
	}
	needs.Eventually(t, "resume succeeds", func() bool { return n.Stats().Resumes == 1 })
	got := n.resumed()
	if len(got) != 3 || !got[0].Equal(got[1]) || !got[0].Equal(got[2]) {
		t.Errorf("resumed since %v", got)
	}
}

func TestCloseWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	for _, away := range []func(*redistest.Server){(*redistest.Server).Stop, (*redistest.Server).Pause} {
		server := redistest.New(t)
		n := newNode(t, server.URL(), quick("x:"))
		away(server)
		n.publish(t, 1)
		began := time.Now()
		n.Close()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("closing took %v", took)
		}
	}
}

// TestNodeThatWasKilled: what it had stored by then and not published is made up
// for, once. Of one that has stopped nothing is missing.
func TestNodeThatWasKilled(t *testing.T) {
	t.Parallel() // it waits more than it works
	server := redistest.New(t)
	killed, stopped := newNode(t, server.URL(), quick("x:")), newNode(t, server.URL(), quick("x:"))
	b := newNode(t, server.URL(), quick("x:"))
	met(t, killed, stopped, b)
	stopped.publish(t, 1)
	stopped.Close()
	b.has(t, 1)
	needs.Eventually(t, "its goodbye is heard", func() bool { return b.Stats().Nodes == 1 })
	lost := time.Now()
	killed.kill()
	checkSince(t, b, lost)
	needs.Eventually(t, "it is not heard", func() bool { return b.Stats().Nodes == 0 })
	if s := b.Stats(); s.Resumes != 1 || s.Lost != 0 || s.Garbage != 0 {
		t.Errorf("%+v", s)
	}
}
