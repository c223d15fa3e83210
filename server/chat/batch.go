package chat

import (
	"context"
	"sync"
	"time"
)

// A batcher runs one function over whatever has queued up since it last
// returned: alone, an item goes at once; under load, those that come while one
// run is busy, or too soon after it began, share the next. That is group commit
// for writers, and it keeps the order in which items were put.
type batcher[T any] struct {
	queue chan T
	run   func([]T)
	limit int
	every time.Duration // from the beginning of a run to that of the next, unless a full batch waits

	mu     sync.RWMutex // held for reading while putting
	closed bool
	done   chan struct{}
}

// maxQueue is how many items may wait before put blocks.
const maxQueue = 1024

func newBatcher[T any](limit int, every time.Duration, run func([]T)) *batcher[T] {
	b := &batcher[T]{queue: make(chan T, maxQueue), run: run, limit: limit, every: every, done: make(chan struct{})}
	go b.loop()
	return b
}

var errClosing = &Error{Kind: KindUnavailable, What: "server is stopping", Why: "try again in a moment"}

// put queues an item, waiting for room until ctx ends.
func (b *batcher[T]) put(ctx context.Context, item T) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return errClosing
	}
	select {
	case b.queue <- item:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// drain hands what is queued by now to fn, and not to run, which calls it.
func (b *batcher[T]) drain(fn func(T)) {
	for range len(b.queue) { // nobody else takes anything out
		fn(<-b.queue)
	}
}

// close refuses further items and returns when those queued were run.
func (b *batcher[T]) close() {
	b.mu.Lock()
	if !b.closed {
		b.closed = true
		close(b.queue)
	}
	b.mu.Unlock()
	<-b.done
}

func (b *batcher[T]) loop() {
	defer close(b.done)
	batch := make([]T, 0, b.limit)
	var began time.Time
	for item := range b.queue {
		if len(b.queue) < b.limit-1 {
			time.Sleep(time.Until(began.Add(b.every)))
		}
		began = time.Now()
		batch = append(batch[:0], item)
		for len(batch) < b.limit {
			select {
			case item, ok := <-b.queue:
				if ok {
					batch = append(batch, item)
					continue
				}
			default:
			}
			break
		}
		b.run(batch)
		clear(batch)
	}
}
