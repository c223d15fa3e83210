package chat

import (
	"sync"
	"time"
)

// A gatherer calls a function some time after poke, so that what comes meanwhile shares one
// call.
type gatherer struct {
	wake chan struct{} // has room for one signal: there is something to do
	stop chan struct{} // closed once by end
	end  func()
	done chan struct{}
}

// newGatherer starts a gatherer. The owner closes it.
func newGatherer(delay time.Duration, do func()) *gatherer {
	g := &gatherer{wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	g.end = sync.OnceFunc(func() { close(g.stop) })
	go g.loop(delay, do)
	return g
}

func (g *gatherer) poke() {
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

func (g *gatherer) loop(delay time.Duration, do func()) {
	defer close(g.done)
	for stopped := false; !stopped; {
		select {
		case <-g.wake:
			select {
			case <-time.After(delay):
			case <-g.stop:
			}
		case <-g.stop:
			stopped = true
		}
		do()
	}
}

// close calls the function a last time, and waits for it. It is idempotent.
func (g *gatherer) close() {
	g.end()
	<-g.done
}
