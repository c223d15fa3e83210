// Package memlimit implements chat.Limiter with token buckets in the memory of
// one process.
//
// [New] makes a [Limiter] with a number of turns per second for each key. It remembers a bounded number of keys: a
// key whose bucket is full again is forgotten, because it is as good as new. If a flood of keys leaves no room,
// further keys share spare buckets; a key that is limited stays limited.
package memlimit

import (
	"context"
	"hash/maphash"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/onemeter/onemeter/server/chat"
)

// A Limiter bounds how often something may happen for each key. It is safe for concurrent use.
type Limiter[K comparable] struct {
	rate    rate.Limit // 0: no limit
	burst   int
	maxKeys int
	now     func() time.Time

	mu      sync.Mutex
	buckets *simplelru.LRU[K, *rate.Limiter]
	spare   []*rate.Limiter // by hash, for keys without a bucket of their own
	seed    maphash.Seed
}

var _ chat.Limiter[int64] = (*Limiter[int64])(nil)

const (
	spares = 256
	// looks is how many of the least recently used keys are checked when a new one comes.
	looks = 4
)

// New returns a limiter of perSecond turns per second, at most burst at once, that remembers maxKeys keys. A rate of
// 0 means no limit.
func New[K comparable](perSecond float64, burst, maxKeys int) *Limiter[K] {
	return NewWithClock[K](perSecond, burst, maxKeys, time.Now)
}

// NewWithClock is New with another clock.
func NewWithClock[K comparable](perSecond float64, burst, maxKeys int, now func() time.Time) *Limiter[K] {
	l := &Limiter[K]{rate: rate.Limit(max(perSecond, 0)), burst: max(burst, 1), maxKeys: max(maxKeys, 1), now: now, seed: maphash.MakeSeed()}
	// One more than is ever kept, so that the LRU never evicts.
	buckets, err := simplelru.NewLRU[K, *rate.Limiter](l.maxKeys+1, nil)
	if err != nil {
		panic(err) // only for a size below 1
	}
	l.buckets = buckets
	l.spare = make([]*rate.Limiter, spares)
	for i := range l.spare {
		l.spare[i] = l.newBucket()
	}
	return l
}

func (l *Limiter[K]) newBucket() *rate.Limiter { return rate.NewLimiter(l.rate, l.burst) }

// Take implements chat.Limiter.
func (l *Limiter[K]) Take(_ context.Context, key K) (wait time.Duration) {
	if l.rate == 0 {
		return 0
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.bucket(key, now)
	if b.AllowN(now, 1) {
		return 0
	}
	return l.wait(b, now)
}

// Peek implements chat.Limiter.
func (l *Limiter[K]) Peek(_ context.Context, key K) (wait time.Duration) {
	if l.rate == 0 {
		return 0
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets.Peek(key)
	if !ok {
		b = l.spareOf(key) // full, unless other keys use it now
	}
	return l.wait(b, now)
}

// wait returns how long until b has a turn.
func (l *Limiter[K]) wait(b *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - b.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	const most = float64(math.MaxInt64 / 2)
	// Add a microsecond, because sums of fractions may be too small.
	return time.Duration(min(most, math.Ceil(missing/float64(l.rate)*float64(time.Second)))) + time.Microsecond
}

// bucket returns the bucket of key: its own, a new one, or a spare one.
func (l *Limiter[K]) bucket(key K, now time.Time) *rate.Limiter {
	if b, ok := l.buckets.Get(key); ok {
		return b
	}
	// A spare bucket in use may be used by key itself: then key gets no new bucket, which would let it off.
	if spare := l.spareOf(key); !l.full(spare, now) || !l.makeRoom(now) {
		return spare
	}
	b := l.newBucket()
	l.buckets.Add(key, b)
	return b
}

func (l *Limiter[K]) spareOf(key K) *rate.Limiter {
	return l.spare[maphash.Comparable(l.seed, key)%spares]
}

func (l *Limiter[K]) full(b *rate.Limiter, now time.Time) bool {
	return b.TokensAt(now) >= float64(l.burst)
}

// makeRoom removes keys that are full again from the least recently used ones, and reports whether there is room for
// another.
func (l *Limiter[K]) makeRoom(now time.Time) bool {
	for range looks {
		key, b, ok := l.buckets.GetOldest()
		switch {
		case !ok:
			return true
		case l.full(b, now):
			l.buckets.Remove(key)
		default:
			l.buckets.Get(key) // moves it to the front, so that others are checked first
		}
	}
	return l.buckets.Len() < l.maxKeys
}

// Len returns the number of remembered keys.
func (l *Limiter[K]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buckets.Len()
}
