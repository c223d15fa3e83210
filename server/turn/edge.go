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

// The sockets that clients come to, as pion gets them. They live through errors
// that pass, which would end pion's loops.

const (
	maxStreams  = 4096             // TCP connections at a time
	newWithin   = 30 * time.Second // for the next frame of one without an allocation
	idleWithin  = 11 * time.Minute // and with one: allocations live for 10 minutes unless refreshed
	frameWithin = 10 * time.Second // for the rest of a frame that has begun
	writeWithin = 5 * time.Second  // for a client to take a frame
	retryAfter  = 250 * time.Millisecond
)

// passes waits a moment after an error of a socket; it tells false where the
// socket is closed.
func (s *Server) passes(err error) bool {
	if errors.Is(err, net.ErrClosed) {
		return false
	}
	s.cfg.Log.Warn("turn: socket failed, trying again", "err", err)
	select {
	case <-s.closing:
		return false
	case <-time.After(retryAfter):
		return true
	}
}

// The types of answers to a request to allocate (RFC 8656, section 17).
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

// answer counts a request to allocate that a client is told was not granted.
// Only the answer says so in every case. One without a credential, or with an
// old nonce, was not decided: the client is asked to come again.
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

// ReadFrom returns the next packet, or the error that ends pion's loop.
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

// Accept returns the next connection that there is room for, a *stream. No two
// have the same client.
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

// A stream is a TCP connection of a client. pion finds the frames in it again,
// and must not be given all that comes: lengths near 65535 turn its reader of
// 4.1 round and round in one place (github.com/pion/turn/pull/593).
type stream struct {
	net.Conn
	srv       *Server
	from      client
	in        *bufio.Reader
	allocated atomic.Bool
	once      sync.Once
}

// maxFrame is above what a packet that is relayed can have, and below what
// pion reads.
const maxFrame = 1500

// Read returns one whole frame. One that is too large to be relayed is passed over.
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

// await waits for n bytes, and leaves them there.
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

// frame measures the frame that has begun (RFC 8656, section 12.5). It is not
// ok if pion would measure it otherwise: whatever has the cookie is STUN to it.
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

// Write sends a frame. A client that does not take it is cut off: what comes
// after half a frame makes no sense.
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
