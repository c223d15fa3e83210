package observe

import (
	"context"
	"sync"
	"time"
)

// maxParsed bounds the statements that are remembered. The server's own are
// some dozens, and as many again for each size of a batch.
const maxParsed = 4096

// A queryClock records how long statements took.
type queryClock struct {
	observer *Observer
	labels   *labelTable[statement]

	mu     sync.RWMutex
	parsed map[string]statement // by the text of the statement
}

func (q *queryClock) stop(ctx context.Context, query string, start time.Time) {
	took := time.Since(start).Seconds()
	q.observer.ins.queryDuration.Record(ctx, took, q.labels.of(q.statement(query)).record...)
}

func (q *queryClock) statement(query string) statement {
	q.mu.RLock()
	s, ok := q.parsed[query]
	q.mu.RUnlock()
	if ok {
		return s
	}
	s = parse(query)
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.parsed) < maxParsed {
		q.parsed[query] = s
	}
	return s
}
