package ws

import "time"

// A bucket bounds a rate. It is used by one goroutine.
type bucket struct {
	every int64 // nanoseconds that one turn takes to come back
	burst int64 // nanoseconds that may be used up at once
	full  int64 // when all turns will be back, in Unix nanoseconds
}

func newBucket(rate, burst int, now int64) bucket {
	every := int64(time.Second) / int64(rate)
	return bucket{every: every, burst: every * int64(burst), full: now}
}

// take uses a turn if there is one.
func (b *bucket) take(now int64) bool {
	full := max(b.full, now) + b.every
	if full-now > b.burst {
		return false
	}
	b.full = full
	return true
}
