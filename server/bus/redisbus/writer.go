package redisbus

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"
)

// A writer publishes what is in the outbox, in order: what Redis did not take is
// tried again before anything else.
type writer struct {
	*Bus
	batch  []item
	last   uint64 // number of the last event that Redis took
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

// wait waits until there is something to publish, or it is time for a beat; it
// is false once the bus closes.
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

// publish hands the batch to Redis, and a beat after it when it is time, and
// keeps what Redis did not take.
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

// bye tells the other nodes that nothing of this one is missing. Who does not
// hear it looks into the database.
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

// outcome counts, and logs the first of many failures and their end.
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

// Waits between tries.
const (
	firstBackoff = 50 * time.Millisecond
	maxBackoff   = 5 * time.Second
)

// backoff is how long to wait after one more failure: twice as long each time,
// and not the same on every node.
func backoff(tries *int) time.Duration {
	d := min(firstBackoff<<min(*tries, 10), maxBackoff)
	*tries++
	return d/2 + rand.N(d/2)
}

// sleep waits for d, or is false if done comes first.
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
