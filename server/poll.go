package server

import (
	"context"
	"sync/atomic"
	"time"
)

// pollEvery is how old a number that another server keeps may be on the page.
const pollEvery = 5 * time.Second

// A polled number is one that another server keeps. It is asked for beside the
// scrapes, which must not wait for a server that is away.
type polled struct {
	value  atomic.Int64
	cancel context.CancelFunc
	done   chan struct{}
}

// poll reads the number now and then until stop. While it cannot be had, the
// last one stands.
func (p *polled) poll(every time.Duration, read func(context.Context) (int64, error)) {
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

func (p *polled) readOnce(ctx context.Context, within time.Duration, read func(context.Context) (int64, error)) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if n, err := read(ctx); err == nil {
		p.value.Store(n)
	}
}

func (p *polled) last() int64 { return p.value.Load() }

func (p *polled) stop() error {
	p.cancel()
	<-p.done
	return nil
}
