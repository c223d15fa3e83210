package needs

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy stands between a client and a server, and fails as networks and servers do. [NewProxy] makes one. It is
// safe for concurrent use.
type Proxy struct {
	// Addr is the address to connect to, host:port.
	Addr string

	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	cut    bool
	gate   chan struct{} // nothing passes until it is closed
	delay  time.Duration // of each answer
	calls  int           // accepted connections
	marker []byte        // the connection of a client that sends this is closed
	after  bool          // whether to forward the marker first
}

// NewProxy returns a Proxy that forwards everything to target, host:port, until t ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), target: target, listener: l, open: make(map[net.Conn]struct{})}
	p.gate = make(chan struct{})
	close(p.gate)
	p.work.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut()
		p.work.Wait()
	})
	return p
}

// Sever closes all open connections once. New ones work.
func (p *Proxy) Sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sever()
}

func (p *Proxy) sever() {
	for conn := range p.open {
		_ = conn.Close()
	}
	clear(p.open)
}

// Cut closes all open connections, and every new one at once, until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.sever()
	p.thaw()
}

// Freeze makes the Proxy accept connections and bytes but forward nothing, like a server that hangs.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thaw()
	p.gate = make(chan struct{})
}

// Heal undoes Cut, Freeze and Delay.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.delay = false, 0
	p.thaw()
}

func (p *Proxy) thaw() {
	select {
	case <-p.gate:
	default:
		close(p.gate)
	}
}

// Delay delays each answer of the server by d.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Calls returns how many connections clients have made, including those that were closed at once.
func (p *Proxy) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls
}

// SeverAt closes one connection: that of the first client to send text. If after is true, the Proxy forwards the text
// before, so that only the answer is lost.
func (p *Proxy) SeverAt(text string, after bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marker, p.after = []byte(text), after
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		server, err := d.DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.calls++
		if p.cut {
			_, _ = client.Close(), server.Close()
		} else {
			p.open[client], p.open[server] = struct{}{}, struct{}{}
			lost := new(atomic.Bool)
			p.work.Go(func() { p.pass(server, client, true, lost) })
			p.work.Go(func() { p.pass(client, server, false, lost) })
		}
		p.mu.Unlock()
	}
}

// pass copies from one end to the other until one is closed, or, once lost is set, until the server answers.
func (p *Proxy) pass(to, from net.Conn, fromClient bool, lost *atomic.Bool) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		p.mu.Lock()
		gate, delay := p.gate, p.delay
		p.mu.Unlock()
		<-gate
		if !fromClient {
			time.Sleep(delay)
		}
		at := fromClient && p.marked(buf[:n])
		if at && !p.after || !fromClient && lost.Load() {
			break
		}
		if at {
			lost.Store(true) // before the server can answer
		}
		if _, err := to.Write(buf[:n]); err != nil {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range []net.Conn{to, from} {
		_ = conn.Close()
		delete(p.open, conn)
	}
}

// marked reports, once, whether sent contains the marker of SeverAt.
func (p *Proxy) marked(sent []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	found := len(p.marker) > 0 && bytes.Contains(sent, p.marker)
	if found {
		p.marker = nil
	}
	return found
}
