package redisbus

import (
	"context"
	"sync"
	"time"
)

// A mender remembers since when events are missing, until they are recovered.
type mender struct {
	wake chan struct{}
	busy sync.Mutex // held while recovering

	mu      sync.Mutex
	pending bool
	since   time.Time
	failed  bool
	done    time.Time // when it last succeeded
}

// mendEvery limits how often events are recovered: a node that keeps losing events costs one database query per
// second. mendWithin limits how long that takes.
const (
	mendEvery  = time.Second
	mendWithin = 5 * time.Second
)

// missed records that events may be missing since a time.
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

// mend recovers missing events, at once if possible: the reader of the subscription waits, so that later events do
// not overtake them.
func (b *Bus) mend() {
	if b.mendNow() {
		return
	}
	select {
	case b.mender.wake <- struct{}{}:
	default:
	}
}

// mendNow reports whether nothing is missing any more.
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
			b.cfg.Log.Warn("could not recover missed events; trying again", "since", since, "err", err)
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

// mendLater tries again what mend could not do.
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
