package chat

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A batcher calls a function with batches of queued items, one call at a time, in the
// order in which items were put. A single item is passed on at once. Under load, the items
// that come during a call share the next one. For a store this is group commit.
type batcher[T any] struct {
	queue chan T
	run   func([]T)
	limit int
	every time.Duration // shortest time between the starts of two calls, unless a full batch waits

	running sync.Mutex   // held during a run
	unrun   atomic.Int64 // items that were put and whose run has not ended

	mu     sync.RWMutex // held for reading in put
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

// put queues an item. If the queue is full, it waits until ctx ends.
func (b *batcher[T]) put(ctx context.Context, item T) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return errClosing
	}
	b.unrun.Add(1)
	select {
	case b.queue <- item:
		return nil
	case <-ctx.Done():
		b.unrun.Add(-1)
		return ctx.Err()
	}
}

// runOrPut runs an item in the caller's goroutine if nothing else waits or runs, and puts
// it otherwise. On an idle server, waking another goroutine costs more than a short run.
func (b *batcher[T]) runOrPut(ctx context.Context, item T) error {
	if !b.unrun.CompareAndSwap(0, 1) {
		return b.put(ctx, item)
	}
	defer b.unrun.Add(-1)
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return errClosing
	}
	b.running.Lock()
	defer b.running.Unlock()
	b.run([]T{item})
	return nil
}

// drain calls fn with the items that are queued now, instead of passing them to run. Only
// run may call it.
func (b *batcher[T]) drain(fn func(T)) {
	for range len(b.queue) {
		select {
		case item := <-b.queue:
			fn(item)
			b.unrun.Add(-1)
		default: // loop took it
			return
		}
	}
}

// close refuses further items, and returns when run has handled the queued ones. It is
// idempotent.
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
		b.running.Lock()
		b.run(batch)
		b.running.Unlock()
		b.unrun.Add(int64(-len(batch)))
		clear(batch)
	}
}
