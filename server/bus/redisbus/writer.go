package redisbus

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// A writer publishes the outbox in order. It tries again what Redis did not accept before it sends anything else.
type writer struct {
	*Bus
	batch  []item
	last   uint64 // number of the last event that was sent
	beaten time.Time
	tries  int
	away   bool
}

// publishWithin bounds a pipeline.
const publishWithin = 2 * time.Second

func (b *Bus) write() {
	w := &writer{Bus: b}
	for w.wait() {
		w.batch = b.out.take(w.batch)
		if !w.publish(b.ctx) && !sleep(b.closing, backoff(&w.tries)) {
			break
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, closeWithin)
	defer cancel()
	for {
		w.batch = b.out.take(w.batch)
		if len(w.batch) == 0 {
			w.bye(ctx)
			break
		}
		if !w.publish(ctx) {
			break
		}
	}
	b.out.leave(w.batch)
}

// wait waits until there is something to publish or a beat is due. It returns false when the bus closes.
func (w *writer) wait() bool {
	select {
	case <-w.closing:
		return false
	default:
	}
	left := time.Until(w.beaten.Add(w.cfg.Beat))
	if len(w.batch) > 0 || w.out.len() > 0 || left <= 0 {
		return true
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-w.out.wake:
	case <-timer.C:
	case <-w.closing:
		return false
	}
	return true
}

// publish sends the batch to Redis, and a beat if one is due. It keeps what Redis did not accept.
func (w *writer) publish(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, publishWithin)
	defer cancel()
	pipe := w.client.Pipeline()
	for _, it := range w.batch {
		w.queue(ctx, pipe, it)
		w.last = it.n
	}
	now := time.Now()
	beat := now.Sub(w.beaten) >= w.cfg.Beat
	if beat {
		w.queue(ctx, pipe, item{kind: kindBeat, n: w.last, sent: now})
	}
	if pipe.Len() == 0 {
		return true
	}
	cmds, err := pipe.Exec(ctx)
	taken := 0
	for taken < len(w.batch) && taken < len(cmds) && cmds[taken].Err() == nil {
		taken++
	}
	w.count.published.Add(uint64(taken))
	w.batch = append(w.batch[:0], w.batch[taken:]...)
	clear(w.batch[len(w.batch):cap(w.batch)])
	w.outcome(err)
	if err == nil && beat {
		w.beaten = now
	}
	return err == nil
}

// bye announces that nothing of this node is missing. A node that does not get it looks into the database.
func (w *writer) bye(ctx context.Context) {
	pipe := w.client.Pipeline()
	w.queue(ctx, pipe, item{kind: kindBye, n: w.last, sent: time.Now()})
	_, err := pipe.Exec(ctx)
	w.outcome(err)
}

func (w *writer) queue(ctx context.Context, pipe redis.Pipeliner, it item) {
	if w.cluster {
		pipe.SPublish(ctx, w.channel, it.encode(w.node))
	} else {
		pipe.Publish(ctx, w.channel, it.encode(w.node))
	}
}

// outcome counts failures, and logs the first of several and their end.
func (w *writer) outcome(err error) {
	switch {
	case err != nil:
		w.count.failures.Add(1)
		if !w.away {
			w.cfg.Log.Warn("events do not reach the other nodes", "err", err)
		}
		w.away = true
	case w.away:
		w.cfg.Log.Info("events reach the other nodes again")
		w.away, w.tries = false, 0
	}
}

// Waits between attempts.
const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// backoff returns how long to wait after a failure: twice as long each time, with a random part, so that nodes
// differ.
func backoff(tries *int) time.Duration {
	d := min(firstBackoff<<min(*tries, 10), maxBackoff)
	*tries++
	return d/2 + rand.N(d/2)
}

// sleep waits for d. It returns false if done comes first.
func sleep(done <-chan struct{}, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-done:
		return false
	}
}
