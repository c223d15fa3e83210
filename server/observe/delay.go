package observe

import (
	"sync"
	"time"
)

// delayWindow is the window of message_delivery_delay_seconds.
const delayWindow = 60 // seconds

// A rollingMean is the mean of the values added in the last minute, with a resolution of a second.
type rollingMean struct {
	mu    sync.Mutex
	slots [delayWindow]slot
}

type slot struct {
	second int64 // Unix time of the slot
	n      int64
	sum    time.Duration
}

// add adds n values with the given sum.
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

// mean returns 0 if nothing was added in the minute before now.
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
