package redisbus

import (
	"context"
	"sync"
	"time"
)

// A mender remembers that something was missed until it was made up for.
type mender struct {
	wake chan struct{}
	busy sync.Mutex // held while mending

	mu      sync.Mutex
	pending bool
	since   time.Time
	failed  bool
	done    time.Time // when it last succeeded
}

// How often and how long at most the bus mends. A node that loses events all
// the time costs the others one look into the database a second.
const (
	mendEvery  = time.Second
	mendWithin = 5 * time.Second
)

// missed notes that something may be missing since a time.
func (b *Bus) missed(since time.Time) {
	for _, l := range b.listeners {
		l.missed()
	}
	b.presence.missed()
	m := &b.mender
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.pending || since.Before(m.since) {
		m.since = since
	}
	m.pending = true
}

// mend makes up for what is missing, at once if it can, for the reader of the
// subscription waits: what comes next would otherwise overtake it.
func (b *Bus) mend() {
	if b.mendNow() {
		return
	}
	select {
	case b.mender.wake <- struct{}{}:
	default:
	}
}

// mendNow tells whether nothing is missing any more.
func (b *Bus) mendNow() bool {
	m := &b.mender
	m.busy.Lock()
	defer m.busy.Unlock()
	m.mu.Lock()
	pending, since, wait := m.pending, m.since, time.Since(m.done) < mendEvery
	if !wait {
		m.pending = false
	}
	m.mu.Unlock()
	if !pending || wait {
		return !pending
	}
	err := b.resume(since)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if !m.pending || since.Before(m.since) {
			m.since = since
		}
		m.pending = true
		b.count.failures.Add(1)
		if !m.failed && b.ctx.Err() == nil {
			b.cfg.Log.Warn("what was missed is not made up for yet", "since", since, "err", err)
		}
		m.failed = true
		return false
	}
	b.count.resumes.Add(1)
	m.done, m.failed = time.Now(), false
	return true
}

func (b *Bus) resume(since time.Time) error {
	if b.onResume == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(b.ctx, mendWithin)
	defer cancel()
	return b.onResume(ctx, since)
}

// mendLater tries again what could not be mended at once.
func (b *Bus) mendLater() {
	for {
		select {
		case <-b.mender.wake:
		case <-b.ctx.Done():
			return
		}
		for tries := 0; ; {
			if !sleep(b.ctx.Done(), max(mendEvery, backoff(&tries))) {
				return
			}
			if b.mendNow() {
				break
			}
		}
	}
}
