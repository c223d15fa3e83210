package blob

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A link carries bytes to the S3 server and back, until it is told otherwise.
type link struct {
	t      *testing.T
	target string
	addr   string
	wg     sync.WaitGroup

	mu    sync.Mutex
	ln    net.Listener
	conns map[net.Conn]bool
	pass  chan struct{} // closed while bytes pass
}

// linked has cfg's requests go over a link.
func linked(t *testing.T, cfg *S3Config) *link {
	l := &link{
		t: t, target: strings.TrimPrefix(cfg.Endpoint, "http://"), addr: "127.0.0.1:0",
		conns: make(map[net.Conn]bool), pass: make(chan struct{}),
	}
	close(l.pass)
	l.listen()
	t.Cleanup(func() {
		l.cut()
		l.thaw()
		l.wg.Wait()
	})
	cfg.Endpoint = "http://" + l.addr
	return l
}

// listen begins to take connections, or does so again after cut.
func (l *link) listen() {
	ln, err := net.Listen("tcp", l.addr)
	if err != nil {
		l.t.Error(err)
		return
	}
	l.mu.Lock()
	l.ln, l.addr = ln, ln.Addr().String()
	l.mu.Unlock()
	l.wg.Go(func() {
		for {
			near, err := ln.Accept()
			if err != nil {
				return
			}
			l.wg.Go(func() { l.carry(near) })
		}
	})
}

func (l *link) carry(near net.Conn) {
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		l.t.Error(err)
		_ = near.Close()
		return
	}
	l.mu.Lock()
	l.conns[near], l.conns[far] = true, true
	l.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { l.pump(near, far) })
	both.Go(func() { l.pump(far, near) })
	both.Wait()
	l.mu.Lock()
	delete(l.conns, near)
	delete(l.conns, far)
	l.mu.Unlock()
}

func (l *link) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		l.mu.Lock()
		pass := l.pass
		l.mu.Unlock()
		<-pass
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// drop breaks every connection; new ones are taken.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		_ = c.Close()
	}
}

// cut breaks every connection and refuses new ones.
func (l *link) cut() {
	l.mu.Lock()
	_ = l.ln.Close() // a second time, in the end
	l.mu.Unlock()
	l.drop()
}

// freeze holds all bytes back, until thaw.
func (l *link) freeze() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.pass:
		l.pass = make(chan struct{})
	default: // it is frozen
	}
}

func (l *link) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.pass:
	default:
		close(l.pass)
	}
}

// at does something once so many bytes were read.
func at(n int64, r io.Reader, do func()) io.Reader {
	var once sync.Once
	return &spy{r: r, look: func(read int64) {
		if read >= n {
			once.Do(do)
		}
	}}
}

// A traffic sees the requests of a store.
type traffic struct {
	http.RoundTripper
	requests, received atomic.Int64
	// meddle, if there is one, is given the n-th request, and may answer it.
	meddle func(n int64, r *http.Request) *http.Response
}

// seen has cfg's requests seen by a traffic.
func seen(cfg *S3Config) *traffic {
	tr := new(traffic)
	cfg.Transport = func(own http.RoundTripper) http.RoundTripper {
		tr.RoundTripper = own
		return tr
	}
	return tr
}

func (tr *traffic) RoundTrip(r *http.Request) (*http.Response, error) {
	n := tr.requests.Add(1)
	if tr.meddle != nil {
		if resp := tr.meddle(n, r); resp != nil {
			return resp, nil
		}
	}
	resp, err := tr.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = counted{resp.Body, &tr.received}
	}
	return resp, err
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}
