package observe

import (
	"sync"
	"time"
)

// delayWindow is how far back message_delivery_delay_seconds looks.
const delayWindow = 60 // seconds

// A rollingMean is the mean of what was added in the last minute, kept by the
// second.
type rollingMean struct {
	mu    sync.Mutex
	slots [delayWindow]slot
}

type slot struct {
	second int64 // Unix time that the slot stands for
	n      int64
	sum    time.Duration
}

// add counts n values whose sum is given.
func (r *rollingMean) add(now time.Time, n int64, sum time.Duration) {
	second := now.Unix()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.slots[second%delayWindow]
	if s.second != second {
		*s = slot{second: second}
	}
	s.n += n
	s.sum += sum
}

// mean is 0 where nothing was added in the minute before now.
func (r *rollingMean) mean(now time.Time) time.Duration {
	oldest := now.Unix() - delayWindow + 1
	r.mu.Lock()
	defer r.mu.Unlock()
	var n int64
	var sum time.Duration
	for _, s := range r.slots {
		if s.second >= oldest {
			n += s.n
			sum += s.sum
		}
	}
	if n == 0 {
		return 0
	}
	return sum / time.Duration(n)
}
