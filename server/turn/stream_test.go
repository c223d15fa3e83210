package turn

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/turn/v4"
)

// A script is a connection whose other end has said all that it will say.
type script struct {
	net.Conn
	io.Reader
}

func (s script) Read(p []byte) (int, error)    { return s.Reader.Read(p) }
func (script) SetReadDeadline(time.Time) error { return nil }
func (script) RemoteAddr() net.Addr            { return &net.TCPAddr{} }
func newStream(conn net.Conn, s *Server) *stream {
	return &stream{Conn: conn, srv: s, in: bufio.NewReaderSize(conn, maxFrame)}
}

// FuzzFrames gives the bytes of a connection to pion's reader by way of the
// stream, and wants it to come to an end. Without the stream it does not: the
// seeds say when.
func FuzzFrames(f *testing.F) {
	cookie := []byte{0x21, 0x12, 0xa4, 0x42}
	for _, seed := range [][]byte{
		{}, []byte("GET / HTTP/1.1\r\n\r\n"), {0x40, 0, 0, 0}, {0x40, 0, 0, 1, 9}, {0x40, 0, 0, 1, 9, 0, 0, 0},
		append(append([]byte{0, 1, 0, 0}, cookie...), make([]byte, 12)...),
		append(append([]byte{0, 1, 0xff, 0xec}, cookie...), make([]byte, 70000)...),
		append([]byte{0x40, 0, 0xff, 0xfc}, make([]byte, 70000)...),
		append([]byte{0x40, 0, 0xff, 0xff}, make([]byte, 70000)...),
		append(append([]byte{0x40, 0, 0, 24}, cookie...), bytes.Repeat([]byte{0x40, 0, 0xff, 0xfc}, 5)...),
		append([]byte{0x40, 0, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0}, make([]byte, 0xa442)...),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		reader := pion.NewSTUNConn(newStream(script{Reader: bytes.NewReader(text)}, nil))
		p := make([]byte, 1600)
		for frames := 0; ; frames++ {
			n, _, err := reader.ReadFrom(p)
			if err != nil {
				return
			}
			if n == 0 || n > maxFrame || frames > len(text)/4 {
				t.Fatalf("frame %d of %d bytes", frames, n)
			}
		}
	})
}

// comesFrom is a connection of which only the other end is known.
type comesFrom struct {
	net.Conn
	addr net.Addr
}

func (c comesFrom) RemoteAddr() net.Addr { return c.addr }
func (comesFrom) Close() error           { return nil }

// TestTwins has a client connect from one port to two addresses of this machine:
// were both welcome, their allocations would be taken for one another.
func TestTwins(t *testing.T) {
	s := &Server{streams: make(map[client]*stream), closing: make(chan struct{})}
	here := comesFrom{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4711}}
	next := comesFrom{addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 4712}}
	first, second, other := s.welcome(here), s.welcome(here), s.welcome(next)
	if first == nil || second != nil || other == nil {
		t.Fatalf("welcome are %v, %v and from another port %v", first != nil, second != nil, other != nil)
	}
	_ = first.Close()
	again := s.welcome(here)
	if again == nil {
		t.Fatal("not welcome when the first is gone")
	}
	_ = errors.Join(again.Close(), other.Close())
	s.readers.Wait()
	if n := len(s.streams); n != 0 {
		t.Errorf("%d connections are left", n)
	}
}

// TestIdleStreams waits for a client as long as it has a reason to be silent.
func TestIdleStreams(t *testing.T) {
	binding := append([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 12)...)
	for name, c := range map[string]struct {
		allocated bool
		sent      []byte
		within    time.Duration
	}{
		"new":       {false, nil, newWithin},
		"allocated": {true, nil, idleWithin},
		"begun":     {true, binding[:3], frameWithin},
		"half":      {true, binding[:19], frameWithin},
	} {
		synctest.Test(t, func(t *testing.T) {
			server, client := net.Pipe()
			defer server.Close()
			defer client.Close()
			s := newStream(server, new(Server))
			s.allocated.Store(c.allocated)
			go func() { _, _ = client.Write(append(binding, c.sent...)) }()
			if n, err := s.Read(make([]byte, 1600)); n != len(binding) || err != nil {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
			start := time.Now()
			if _, err := s.Read(make([]byte, 1600)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != c.within {
				t.Errorf("%s: %v after %v, want %v", name, err, time.Since(start), c.within)
			}
		})
	}
}

// TestDeafStreams cuts off a client that does not read.
func TestDeafStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		s := newStream(server, new(Server))
		start := time.Now()
		if _, err := s.Write([]byte("frame")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != writeWithin {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, err := server.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("not cut off: %v", err)
		}
	})
}

func TestPolicy(t *testing.T) {
	public, own := netip.MustParseAddr("198.41.0.4"), netip.MustParseAddr("198.41.0.5")
	p := policy{public: public, own: map[netip.Addr]bool{own: true}}
	open := policy{public: public, own: p.own, allowPrivate: true}
	for _, c := range []struct {
		addr          string
		allowed, open bool
	}{
		{"1.1.1.1", true, true}, {"::ffff:1.1.1.1", true, true}, {"100.63.255.255", true, true}, {"100.128.0.0", true, true},
		{"172.15.255.255", true, true}, {"172.32.0.0", true, true}, {"198.17.255.255", true, true}, {"223.255.255.255", true, true},
		{public.String(), true, true}, {own.String(), false, true}, {"::ffff:" + own.String(), false, true},

		{"127.0.0.1", false, true}, {"127.255.255.255", false, true}, {"::ffff:127.0.0.1", false, true},
		{"10.0.0.0", false, true}, {"10.255.255.255", false, true}, {"::ffff:10.0.0.1", false, true},
		{"172.16.0.0", false, true}, {"172.31.255.255", false, true}, {"::ffff:172.16.0.1", false, true},
		{"192.168.0.0", false, true}, {"192.168.255.255", false, true}, {"::ffff:192.168.0.1", false, true},
		{"169.254.169.254", false, true}, {"::ffff:169.254.169.254", false, true}, {"169.254.0.1", false, true},
		{"100.64.0.0", false, true}, {"100.127.255.255", false, true}, {"::ffff:100.64.0.1", false, true},
		{"192.0.0.1", false, true}, {"192.0.2.1", false, true}, {"198.51.100.1", false, true}, {"203.0.113.1", false, true},
		{"198.18.0.1", false, true}, {"198.19.255.255", false, true}, {"192.88.99.1", false, true},

		{"0.0.0.0", false, false}, {"0.1.2.3", false, false}, {"::ffff:0.0.0.0", false, false},
		{"224.0.0.1", false, false}, {"239.255.255.255", false, false}, {"::ffff:224.0.0.1", false, false},
		{"240.0.0.1", false, false}, {"255.255.255.255", false, false}, {"::ffff:255.255.255.255", false, false},

		{"::1", false, false}, {"::", false, false}, {"fe80::1", false, false}, {"fc00::1", false, false}, {"fd00:ec2::254", false, false},
		{"ff02::1", false, false}, {"2001:db8::1", false, false}, {"2606:4700::1111", false, false},
		{"64:ff9b::7f00:1", false, false}, {"2002:7f00:1::", false, false}, {"::127.0.0.1", false, false},
	} {
		addr := netip.MustParseAddr(c.addr)
		if got := p.allows(addr); got != c.allowed {
			t.Errorf("%s: allowed %v", addr, got)
		}
		if got := open.allows(addr); got != c.open {
			t.Errorf("%s with AllowPrivate: allowed %v", addr, got)
		}
		at := netip.AddrPortFrom(addr, 9)
		if got, want := p.allowsPort(at), c.allowed && addr != public; got != want {
			t.Errorf("a packet to %s: allowed %v", at, got)
		}
		if got := open.allowsPort(at); got != c.open {
			t.Errorf("a packet to %s with AllowPrivate: allowed %v", at, got)
		}
		if open.allowsPort(netip.AddrPortFrom(addr, 0)) {
			t.Errorf("a packet to port 0 of %s is allowed", addr)
		}
	}
}
