package chat

import (
	"sync"
	"time"
)

// activeWindow is how long a user counts as active after doing something.
const activeWindow = 5 * time.Minute

// activity remembers when each user last did something.
type activity struct {
	mu     sync.Mutex
	last   map[int64]time.Time
	pruned time.Time
}

func (a *activity) touch(userID int64, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.last == nil {
		a.last = make(map[int64]time.Time)
	}
	a.last[userID] = now
	if now.Sub(a.pruned) > activeWindow {
		a.prune(now)
	}
}

// count returns the number of users who were active in the window that ends now.
func (a *activity) count(now time.Time) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.prune(now)
	return len(a.last)
}

func (a *activity) prune(now time.Time) {
	a.pruned = now
	for id, at := range a.last {
		if now.Sub(at) > activeWindow {
			delete(a.last, id)
		}
	}
}

// inflight limits how many attempts with the same key run at once. Limits that count failed
// attempts need it: otherwise a burst would pass before its first attempt fails.
type inflight struct {
	mu sync.Mutex
	n  map[string]int
}

// enter counts an attempt with key until leave. It returns false if limit of them run.
func (f *inflight) enter(key string, limit int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == nil {
		f.n = make(map[string]int)
	}
	if f.n[key] >= limit {
		return false
	}
	f.n[key]++
	return true
}

func (f *inflight) leave(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n[key]--; f.n[key] <= 0 {
		delete(f.n, key)
	}
}

// of returns when a user last did something, if that was in the window.
func (a *activity) of(userID int64) (time.Time, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at, ok := a.last[userID]
	return at, ok
}
