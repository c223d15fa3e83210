package turn

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/stun/v3"
)

// The sockets that clients connect to, as pion uses them. They survive temporary errors, which would end pion's
// loops.

const (
	maxStreams  = 4096             // concurrent TCP connections
	newWithin   = 30 * time.Second // to wait for the next frame without an allocation
	idleWithin  = 11 * time.Minute // and with an allocation, which lives for 10 minutes unless refreshed
	frameWithin = 10 * time.Second // to wait for the rest of a frame
	writeWithin = 5 * time.Second  // to wait until a client accepts a frame
	retryAfter  = 250 * time.Millisecond
)

// passes waits a moment after a socket error and returns true. It returns false if the socket is closed.
func (s *Server) passes(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.cfg.Log.Warn("turn: a socket failed; trying again", "err", err)
	select {
	case <-s.closing:
		return false
	case <-time.After(retryAfter):
		return true
	}
}

// The types of responses to an Allocate request (RFC 8656, section 17).
const (
	allocated    = 0x0103
	notAllocated = 0x0113
)

func messageType(p []byte) uint16 {
	if len(p) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(p)
}

// answer counts an Allocate request that was refused. Only the response shows this in every case. Requests without a
// credential, or with an old nonce, are not counted: the client has to repeat them.
func (s *Server) answer(p []byte) {
	if messageType(p) != notAllocated {
		return
	}
	m, code := stun.Message{Raw: p}, stun.ErrorCodeAttribute{}
	if m.Decode() != nil || code.GetFrom(&m) != nil || code.Code == stun.CodeUnauthorized || code.Code == stun.CodeStaleNonce {
		return
	}
	s.failed.Add(1)
}

// packets is the UDP socket.
type packets struct {
	net.PacketConn
	srv *Server
}

// ReadFrom returns the next packet, or an error that ends pion's loop.
func (c *packets) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := c.PacketConn.ReadFrom(p)
		if err == nil {
			return n, from, nil
		}
		if !c.srv.passes(err) {
			c.srv.readers.Done()
			return 0, nil, err
		}
	}
}

// WriteTo sends a packet to a client.
func (c *packets) WriteTo(p []byte, to net.Addr) (int, error) {
	c.srv.answer(p)
	return c.PacketConn.WriteTo(p, to)
}

// A listener is the TCP socket.
type listener struct {
	net.Listener
	srv *Server
}

// Accept returns the next connection that there is room for, a *stream. No two have the same client.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			if l.srv.passes(err) {
				continue
			}
			return nil, err
		}
		if c := l.srv.welcome(conn); c != nil {
			return c, nil
		}
		_ = conn.Close()
	}
}

func (s *Server) welcome(conn net.Conn) *stream {
	from := clientOf(conn.RemoteAddr())
	s.mu.Lock()
	defer s.mu.Unlock()
	// Where this machine has two addresses, a client may come to both from one port.
	if s.isClosing() || len(s.streams) >= maxStreams || s.streams[from] != nil {
		return nil
	}
	c := &stream{Conn: conn, srv: s, from: from, in: bufio.NewReaderSize(conn, maxFrame)}
	s.streams[from] = c
	s.readers.Add(1)
	return c
}

// A stream is a TCP connection of a client. pion also looks for frames, but must not get everything that comes:
// lengths near 65535 make the reader of pion 4.1 loop for ever (github.com/pion/turn/pull/593).
type stream struct {
	net.Conn
	srv       *Server
	from      client
	in        *bufio.Reader
	allocated atomic.Bool
	once      sync.Once
}

// maxFrame is larger than any packet that can be relayed, and smaller than pion's buffer.
const maxFrame = 1500

// Read returns one whole frame. It skips frames that are too large to be relayed.
func (c *stream) Read(p []byte) (int, error) {
	for {
		idle := newWithin
		if c.allocated.Load() {
			idle = idleWithin
		}
		if err := c.await(1, idle); err != nil {
			return 0, err
		}
		size, ok, err := c.frame()
		if err != nil {
			return 0, err
		}
		if ok && size <= min(maxFrame, len(p)) {
			return io.ReadFull(c.in, p[:size])
		}
		if _, err := c.in.Discard(size); err != nil {
			return 0, err
		}
	}
}

// await waits for n bytes without consuming them.
func (c *stream) await(n int, within time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := c.in.Peek(n)
	return err
}

const (
	stunHeader    = 20
	channelHeader = 4
	magicCookie   = 0x2112A442
)

var errNoFrame = errors.New("turn: neither STUN nor channel data")

// frame returns the size of the next frame (RFC 8656, section 12.5). ok is false if pion would read another size:
// pion treats everything with the cookie as STUN.
func (c *stream) frame() (size int, ok bool, err error) {
	if err := c.await(channelHeader, frameWithin); err != nil {
		return 0, false, err
	}
	head, _ := c.in.Peek(channelHeader)
	length, cookie := int(binary.BigEndian.Uint16(head[2:])), false
	if length > 0 {
		if head, err = c.in.Peek(channelHeader + 4); err != nil {
			return 0, false, err
		}
		cookie = binary.BigEndian.Uint32(head[channelHeader:]) == magicCookie
	}
	switch kind := head[0] >> 6; {
	case kind == 0 && (cookie || length == 0):
		return stunHeader + length, true, nil
	case kind == 1:
		return channelHeader + (length+3)/4*4, !cookie, nil
	}
	return 0, false, errNoFrame
}

// Write sends a frame. If the client does not accept it, the connection is closed: after half a frame nothing else
// makes sense.
func (c *stream) Write(p []byte) (int, error) {
	c.srv.answer(p)
	if messageType(p) == allocated {
		c.allocated.Store(true)
	}
	err := c.SetWriteDeadline(time.Now().Add(writeWithin))
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(p)
	if err != nil {
		_ = c.Conn.Close()
	}
	return n, err
}

// Close is called by pion when its loop has ended.
func (c *stream) Close() error {
	c.once.Do(func() {
		c.srv.mu.Lock()
		delete(c.srv.streams, c.from)
		c.srv.mu.Unlock()
		c.srv.readers.Done()
	})
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
