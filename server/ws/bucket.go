package ws

import "time"

// A bucket limits a rate. It is for one goroutine.
type bucket struct {
	every int64 // nanoseconds in which one token comes back
	burst int64 // nanoseconds worth of tokens that may be taken at once
	full  int64 // when the bucket will be full, in Unix nanoseconds
}

func newBucket(rate, burst int, now int64) bucket {
	every := int64(time.Second) / int64(rate)
	return bucket{every: every, burst: every * int64(burst), full: now}
}

// take takes a token if there is one.
func (b *bucket) take(now int64) bool {
	full := max(b.full, now) + b.every
	if full-now > b.burst {
		return false
	}
	b.full = full
	return true
}
