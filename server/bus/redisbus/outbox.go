package redisbus

import (
	"sync"
	"time"
)

// An outbox holds events that wait for Redis. When it is full, the oldest are dropped: new events matter more, and
// the other nodes see from the numbers that something is missing.
type outbox struct {
	maxItems, maxBytes int
	wake               chan struct{} // wakes the writer

	mu      sync.Mutex
	items   []item // valid from head on
	head    int
	bytes   int
	last    uint64 // the last number given
	dropped uint64
}

type item struct {
	kind string
	n    uint64
	sent time.Time
	body []byte
}

func newOutbox(items, bytes int) *outbox {
	return &outbox{maxItems: items, maxBytes: bytes, wake: make(chan struct{}, 1)}
}

func (o *outbox) put(kind string, body []byte) {
	o.mu.Lock()
	o.last++
	o.items = append(o.items, item{kind: kind, n: o.last, sent: time.Now(), body: body})
	o.bytes += len(body)
	for len(o.items)-o.head > o.maxItems || o.bytes > o.maxBytes {
		o.drop()
	}
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// drop drops the oldest item. The caller holds mu.
func (o *outbox) drop() {
	o.pop()
	o.dropped++
}

func (o *outbox) pop() item {
	it := o.items[o.head]
	o.items[o.head] = item{}
	o.bytes -= len(it.body)
	o.head++
	if o.head == len(o.items) {
		o.items, o.head = o.items[:0], 0
		if cap(o.items) > 4*maxBatch {
			o.items = nil
		}
	} else if o.head >= 1024 && o.head > len(o.items)/2 {
		o.items, o.head = append([]item(nil), o.items[o.head:]...), 0
	}
	return it
}

// Limits of one pipeline.
const (
	maxBatch      = 256
	maxBatchBytes = 512 << 10
)

// take moves items for one pipeline to batch.
func (o *outbox) take(batch []item) []item {
	o.mu.Lock()
	defer o.mu.Unlock()
	for bytes := 0; o.head < len(o.items) && len(batch) < maxBatch && bytes < maxBatchBytes; {
		it := o.pop()
		bytes += len(it.body)
		batch = append(batch, it)
	}
	return batch
}

// leave puts items that were not published back to the front.
func (o *outbox) leave(batch []item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, it := range batch {
		o.bytes += len(it.body)
	}
	o.items, o.head = append(batch, o.items[o.head:]...), 0
}

func (o *outbox) len() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items) - o.head
}

func (o *outbox) stats() (queued int, dropped uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.items) - o.head, o.dropped
}
