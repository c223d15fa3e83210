package server

import (
	"context"
	"sync"
	"time"
)

// pollEvery is how often polled values are read, and so how old they can be on /metrics.
const pollEvery = 5 * time.Second

// A polled value comes from another server. It is read independently of scrapes, which must not wait for a server that
// is down.
type polled[T any] struct {
	mu     sync.Mutex
	value  T
	at     time.Time // when value was read
	cancel context.CancelFunc
	done   chan struct{}
}

// poll reads the value at once and then every interval until stop. If a read fails, the last value stays.
func (p *polled[T]) poll(every time.Duration, read func(context.Context) (T, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.done = cancel, make(chan struct{})
	go func() {
		defer close(p.done)
		for tick := time.NewTicker(every); ; {
			p.readOnce(ctx, every, read)
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
}

func (p *polled[T]) readOnce(ctx context.Context, within time.Duration, read func(context.Context) (T, error)) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if v, err := read(ctx); err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.value, p.at = v, time.Now()
	}
}

func (p *polled[T]) last() T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.value
}

// lastAt returns the last value and when it was read. Ages in it are as of then: if reads fail, what waited may be done
// long ago.
func (p *polled[T]) lastAt() (T, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.value, p.at
}

func (p *polled[T]) stop() error {
	p.cancel()
	<-p.done
	return nil
}
