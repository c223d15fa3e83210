package turn_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/stun/v3"
	pion "github.com/pion/turn/v4"

	"github.com/onemeter/onemeter/server/turn"
)

var networks = []string{"udp", "tcp"}

// TestRelaysBothWays sends to a peer and back, by indications and by channels
// (pion binds one after the first packet).
func TestRelaysBothWays(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			s := open(t, func(c *turn.Config) { c.MinPort, c.MaxPort = 49152, 49999 })
			conn := allocate(t, as(t, s, network, 1))
			at := conn.LocalAddr().(*net.UDPAddr).AddrPort()
			if at.Addr() != loopback || at.Port() < 49152 || at.Port() > 49999 {
				t.Errorf("the relay is at %v", at)
			}
			to := echo(t)
			const packets = 20
			for i := range packets {
				text := fmt.Sprint("packet ", i)
				if from := send(t, conn, conn, to, text); from.String() != to.String() {
					t.Errorf("the answer of %v comes from %v", to, from)
				}
			}
			stats := s.Stats()
			if stats.Asked != 1 || stats.Failed != 0 || stats.Allocations != 1 {
				t.Errorf("one client allocated: %+v", stats)
			}
			if stats.ToPeers < packets*8 || stats.FromPeers < packets*8 {
				t.Errorf("bytes are missing: %+v", stats)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, s, "the allocation is gone", func(s turn.Stats) bool { return s.Allocations == 0 })
		})
	}
}

func TestSTUN(t *testing.T) {
	s := open(t, nil)
	client := as(t, s, "udp", 1)
	addr, err := client.SendBindingRequest()
	if err != nil || addr.(*net.UDPAddr).AddrPort().Addr() != loopback {
		t.Errorf("seen from outside as %v, %v", addr, err)
	}
	if stats := s.Stats(); stats != (turn.Stats{}) {
		t.Errorf("counted: %+v", stats)
	}
}

func TestCredentials(t *testing.T) {
	s := open(t, nil)
	good := turn.NewCredentials(secret, time.Hour)
	username, password := good.For(1, time.Now())
	ended, endedPassword := good.For(1, time.Now().Add(-time.Hour))
	_, others := good.For(2, time.Now())
	strange, strangePassword := turn.NewCredentials([]byte("another"), time.Hour).For(1, time.Now())
	for name, c := range map[string]struct{ username, password string }{
		"no password":    {username, ""},
		"wrong password": {username, others},
		"ended":          {ended, endedPassword},
		"other secret":   {strange, strangePassword},
		"no end":         {"1", password},
		"no number":      {"soon:1", password},
		"no user":        {strings.TrimSuffix(username, "1"), password},
		"garbage":        {"\xff\x00:\n", password},
		"long":           {strings.Repeat("9", 500) + ":1", password},
	} {
		before := s.Stats()
		if _, err := login(t, s, "udp", c.username, c.password).Allocate(); code(err) != stun.CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
		if after := s.Stats(); after.Asked != before.Asked+1 || after.Failed != before.Failed+1 {
			t.Errorf("%s: %+v after %+v", name, after, before)
		}
	}
	allocate(t, login(t, s, "udp", username, password))
	if stats := s.Stats(); stats.Asked != stats.Failed+1 || stats.Allocations != 1 {
		t.Errorf("after one that is good: %+v", stats)
	}
}

// TestCredentialsAreConventional compares with what draft-uberti-behave-turn-rest
// says, as computed by openssl dgst -sha1 -hmac.
func TestCredentialsAreConventional(t *testing.T) {
	c := turn.NewCredentials([]byte("north"), time.Hour)
	username, password := c.For(42, time.Unix(1_700_000_000, 0))
	if username != "1700003600:42" || password != "WO3ZFttCQxBYtA2Ohz7jjGcQStA=" {
		t.Errorf("%s %s", username, password)
	}
	want, wantPassword, err := pion.GenerateLongTermTURNRESTCredentials("north", "42", c.TTL())
	if got, gotPassword := c.For(42, time.Now()); err != nil || len(got) != len(want) || len(gotPassword) != len(wantPassword) {
		t.Errorf("%s %s, pion makes %s %s (%v)", got, gotPassword, want, wantPassword, err)
	}
}

// TestEndsWithTheCredential has an allocation end, though its client would
// refresh it for ever.
func TestEndsWithTheCredential(t *testing.T) {
	s := open(t, nil)
	username, password := turn.NewCredentials(secret, 3*time.Second).For(1, time.Now())
	allocate(t, login(t, s, "udp", username, password))
	eventually(t, s, "the allocation is gone", func(s turn.Stats) bool { return s.Allocations == 0 })
	if _, err := login(t, s, "udp", username, password).Allocate(); code(err) != stun.CodeBadRequest {
		t.Errorf("with a credential that ended: %v", err)
	}
}

func TestAllocationsOfAUser(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.UserAllocations = 2 })
	first := allocate(t, as(t, s, "udp", 1))
	allocate(t, as(t, s, "tcp", 1))
	for _, network := range networks {
		if _, err := as(t, s, network, 1).Allocate(); code(err) != stun.CodeAllocQuotaReached {
			t.Errorf("the third, over %s: %v", network, err)
		}
	}
	allocate(t, as(t, s, "udp", 2))
	if stats := s.Stats(); stats.Asked != 5 || stats.Failed != 2 || stats.Allocations != 3 {
		t.Errorf("%+v", stats)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "one is given back", func(s turn.Stats) bool { return s.Allocations == 2 })
	allocate(t, as(t, s, "udp", 1))
}

// TestAllocationsAtOnce races for the allocations of one user.
func TestAllocationsAtOnce(t *testing.T) {
	const allowed, asked = 5, 20
	s := open(t, func(c *turn.Config) { c.UserAllocations = allowed })
	var got atomic.Int64
	var racing sync.WaitGroup
	for range asked {
		client := as(t, s, "tcp", 1)
		racing.Go(func() {
			if conn, err := client.Allocate(); err == nil {
				got.Add(1)
				t.Cleanup(func() { _ = conn.Close() })
			}
		})
	}
	racing.Wait()
	if stats := s.Stats(); got.Load() != allowed || stats.Allocations != allowed || stats.Asked != asked || stats.Failed != asked-allowed {
		t.Errorf("%d got one: %+v", got.Load(), stats)
	}
}

// TestNoPortLeft has one port for two users, and wants the claim of the one who
// did not get it given back.
func TestNoPortLeft(t *testing.T) {
	s := open(t, func(c *turn.Config) {
		c.UserAllocations = 1
		c.MinPort, c.MaxPort = freePort(t)
	})
	first := allocate(t, as(t, s, "udp", 1))
	late := as(t, s, "udp", 2)
	if _, err := late.Allocate(); code(err) != stun.CodeInsufficientCapacity {
		t.Errorf("no port is left: %v", err)
	}
	if stats := s.Stats(); stats.Asked != 2 || stats.Failed != 1 {
		t.Errorf("%+v", stats)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, s, "the port is free", func(s turn.Stats) bool { return s.Allocations == 0 })
	allocate(t, as(t, s, "udp", 2))
}

// freePort returns a range of one port that nobody has.
func freePort(t *testing.T) (low, high uint16) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	return port, port
}

// TestEvenPort also looks for a port first, and gives it back.
func TestEvenPort(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.UserAllocations = 2 })
	r := newRaw(t, s, "udp", 1)
	if m := r.request(t, stun.MethodRefresh, attribute{stun.AttrLifetime, make([]byte, 4)}); m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("refresh to nothing: %v", m)
	}
	m := r.request(t, stun.MethodAllocate, udp, attribute{stun.AttrEvenPort, []byte{0x80}})
	var relayed stun.XORMappedAddress
	if err := relayed.GetFromAs(m, stun.AttrXORRelayedAddress); err != nil || relayed.Port%2 != 0 {
		t.Errorf("an even port: %v, %v", relayed, err)
	}
	if stats := s.Stats(); stats.Allocations != 1 || stats.Asked != 2 {
		t.Errorf("%+v", stats)
	}
}

// TestBandwidthOfAUser sends more than a user may, over two allocations. The
// rate is so low that only the burst counts.
func TestBandwidthOfAUser(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.UserBandwidth = 1 })
	sink, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Close()
	const packets, size, burst = 50, 1000, 64 << 10
	for range 2 {
		conn := allocate(t, as(t, s, "tcp", 1)) // over which nothing is lost on the way
		for range packets {
			if _, err := conn.WriteTo(make([]byte, size), sink.LocalAddr()); err != nil {
				t.Fatal(err)
			}
		}
	}
	const passed = burst / (size + 28)
	stats := eventually(t, s, "all packets came", func(s turn.Stats) bool { return s.ToPeers/size+s.OverLimit == 2*packets })
	if stats.ToPeers != passed*size || stats.OverLimit != 2*packets-passed {
		t.Errorf("%d packets may pass: %+v", passed, stats)
	}
	// The other way is the same account; another user has another one.
	conn := allocate(t, as(t, s, "tcp", 2))
	to := echo(t)
	send(t, conn, conn, to, "not slowed down")
}

// TestBandwidthFromPeers drops what comes from a peer above the limit.
func TestBandwidthFromPeers(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.UserBandwidth = 1 })
	conn := allocate(t, as(t, s, "tcp", 1))
	to := echo(t)
	text := strings.Repeat("x", 1000)
	send(t, conn, conn, to, text)
	stranger, err := net.Dial("udp4", conn.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	eventually(t, s, "what comes is dropped", func(turn.Stats) bool {
		if _, err := stranger.Write([]byte(text)); err != nil { // an address that the client has a permission for
			t.Fatal(err)
		}
		return s.Stats().OverLimit > 0
	})
	if stats := s.Stats(); stats.ToPeers+stats.FromPeers > 64<<10 {
		t.Errorf("relayed more than the burst: %+v", stats)
	}
}

// TestStrangersCostNothing has somebody without a permission send: from another
// address of loopback, since permissions are for addresses.
func TestStrangersCostNothing(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.UserBandwidth = 1 })
	conn := allocate(t, as(t, s, "tcp", 1))
	stranger, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, conn.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for range 200 {
		if _, err := stranger.Write(make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	to := echo(t)
	send(t, conn, conn, to, "still there")
	if stats := s.Stats(); stats.OverLimit != 0 || stats.FromPeers > 20*11 {
		t.Errorf("strangers were heard: %+v", stats)
	}
}

// TestPrivateIsRefused asks for permissions and channels that a client of a
// server on the Internet does not get.
func TestPrivateIsRefused(t *testing.T) {
	for _, allow := range []bool{false, true} {
		s := open(t, func(c *turn.Config) { c.AllowPrivate = allow })
		r := newRaw(t, s, "udp", 1)
		want := stun.ClassErrorResponse
		if allow {
			want = stun.ClassSuccessResponse
		}
		number := uint16(0x4000)
		for _, addr := range []string{
			"127.0.0.1:9", "10.1.2.3:9", "192.168.1.1:9", "172.31.255.255:9", "169.254.169.254:80", "100.64.0.1:9", "198.18.0.1:9",
		} {
			before := s.Stats().Denied
			if m := r.request(t, stun.MethodCreatePermission, peerAt(addr)); m.Type.Class != want {
				t.Errorf("allowed %v, permission for %s: %v", allow, addr, m)
			}
			number++
			if m := r.request(t, stun.MethodChannelBind, channel(number), peerAt(addr)); m.Type.Class != want {
				t.Errorf("allowed %v, channel to %s: %v", allow, addr, m)
			}
			if denied := s.Stats().Denied - before; (denied == 2) == allow {
				t.Errorf("allowed %v, %s: %d denied", allow, addr, denied)
			}
		}
		if m := r.request(t, stun.MethodCreatePermission, peerAt("1.1.1.1:9")); m.Type.Class != stun.ClassSuccessResponse {
			t.Errorf("permission for a public address: %v", m)
		}
	}
}

// TestNothingReachesLoopback sends without a permission, by all ways there are,
// to a socket that would hear it.
func TestNothingReachesLoopback(t *testing.T) {
	s := open(t, func(c *turn.Config) { c.AllowPrivate = false })
	victim, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	at := victim.LocalAddr().(*net.UDPAddr).AddrPort()
	r := newRaw(t, s, "udp", 1)
	for _, addr := range []netip.AddrPort{at, netip.AddrPortFrom(netip.AddrFrom16(at.Addr().As16()), at.Port())} {
		r.request(t, stun.MethodCreatePermission, peer(addr))
		r.request(t, stun.MethodChannelBind, channel(0x4000), peer(addr))
		m, err := r.build(stun.MethodSend, stun.ClassIndication, attribute{stun.AttrData, []byte("x")}, peer(addr))
		if err != nil {
			t.Fatal(err)
		}
		r.write(t, m.Raw)
		r.write(t, []byte{0x40, 0, 0, 1, 'x', 0, 0, 0})
	}
	r.alive(t) // so all of it was looked at
	if stats := s.Stats(); stats.ToPeers != 0 || stats.Denied != 4 {
		t.Errorf("%+v", stats)
	}
	_ = victim.SetReadDeadline(time.Now())
	if n, _, err := victim.ReadFrom(make([]byte, 10)); err == nil {
		t.Errorf("the victim got %d bytes", n)
	}
}

// TestRelayToRelay has two clients of a server behind a NAT reach each other by
// the public address, and nothing else on it.
func TestRelayToRelay(t *testing.T) {
	public := netip.MustParseAddr("198.41.0.4")
	s := open(t, func(c *turn.Config) { c.AllowPrivate, c.PublicIP = false, public })
	alice, bob := allocate(t, as(t, s, "udp", 1)), allocate(t, as(t, s, "tcp", 2))
	for _, conn := range []net.PacketConn{alice, bob} {
		if at := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr(); at != public {
			t.Errorf("a relay is at %v", at)
		}
	}
	// Both need the other's permission before anything gets through.
	if _, err := bob.WriteTo([]byte("hello?"), alice.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if from := send(t, alice, bob, bob.LocalAddr(), "from alice"); from.String() != alice.LocalAddr().String() {
		t.Errorf("alice is %v to bob", from)
	}
	if from := send(t, bob, alice, alice.LocalAddr(), "from bob"); from.String() != bob.LocalAddr().String() {
		t.Errorf("bob is %v to alice", from)
	}
	// What was written is counted a moment later than it may arrive.
	before := eventually(t, s, "all is counted", func(s turn.Stats) bool { return s.ToPeers == s.FromPeers || s.ToPeers == s.FromPeers+6 })
	for _, port := range []uint16{0, 22, 53, s.Addr().Port()} {
		if _, err := alice.WriteTo([]byte("x"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(public, port))); err != nil {
			t.Fatal(err)
		}
	}
	stats := eventually(t, s, "refused", func(s turn.Stats) bool { return s.Forbidden >= 4 })
	if stats.ToPeers != before.ToPeers {
		t.Errorf("%+v after %+v", stats, before)
	}
}

// TestLimitsOfAnAllocation asks for more peers and channels than anybody needs.
func TestLimitsOfAnAllocation(t *testing.T) {
	s := open(t, nil)
	r := newRaw(t, s, "udp", 1)
	addr := func(i int) peer {
		return peer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{1, 1, byte(i >> 8), byte(i)}), 9))
	}
	for i := range 256 {
		if m := r.request(t, stun.MethodCreatePermission, addr(i)); m.Type.Class != stun.ClassSuccessResponse {
			t.Fatalf("peer %d: %v", i, m)
		}
	}
	if m := r.request(t, stun.MethodCreatePermission, addr(256)); m.Type.Class != stun.ClassErrorResponse {
		t.Errorf("one peer too many: %v", m)
	}
	if m := r.request(t, stun.MethodCreatePermission, addr(0)); m.Type.Class != stun.ClassSuccessResponse {
		t.Errorf("one that is there is not refreshed: %v", m)
	}
	for i := range 256 {
		if m := r.request(t, stun.MethodChannelBind, channel(uint16(0x4000+i)), addr(i)); m.Type.Class != stun.ClassSuccessResponse {
			t.Fatalf("channel %d: %v", i, m)
		}
	}
	if m := r.request(t, stun.MethodChannelBind, channel(0x5000), peerAt("1.1.0.1:10")); m.Type.Class != stun.ClassErrorResponse {
		t.Errorf("one channel too many: %v", m)
	}
}

// TestGarbage sends what nobody should, and wants others served, streams closed
// or kept in step, and pion 4.1 kept from what it cannot stand.
func TestGarbage(t *testing.T) {
	s := open(t, nil)
	for _, network := range networks {
		r := newRaw(t, s, network, 1)
		for _, m := range [][]stun.Setter{
			{attribute{stun.AttrXORPeerAddress, nil}},
			{attribute{stun.AttrData, make([]byte, 4)}, attribute{stun.AttrXORPeerAddress, nil}}, // 32 bytes: nothing behind it
			{attribute{stun.AttrXORPeerAddress, []byte{0, 1, 2}}},
			{attribute{stun.AttrXORPeerAddress, make([]byte, 100)}},
			{attribute{stun.AttrData, nil}, peerAt("127.0.0.1:0")},
			{attribute{stun.AttrUsername, make([]byte, 1000)}},
			{attribute{stun.AttrMessageIntegrity, nil}},
		} {
			for _, method := range []stun.Method{stun.MethodSend, stun.MethodAllocate, stun.MethodRefresh, stun.MethodCreatePermission, stun.MethodChannelBind, 0xfff} {
				for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication, stun.ClassSuccessResponse} {
					if msg, err := r.build(method, class, m...); err == nil {
						r.write(t, msg.Raw)
					}
				}
			}
		}
		r.write(t, []byte{0x40, 0, 0, 0})                                                       // an empty frame
		r.write(t, append([]byte{0x40, 0, 0, 24, 0x21, 0x12, 0xa4, 0x42}, make([]byte, 20)...)) // a channel's, with STUN's cookie
		r.write(t, append([]byte{0x40, 0, 0x7f, 0xff}, make([]byte, 0x8000)...))                // too large
		r.alive(t)
	}
}

// TestStreamsThatMakeNoSense are closed.
func TestStreamsThatMakeNoSense(t *testing.T) {
	s := open(t, nil)
	for name, text := range map[string]string{
		"TLS":         "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("\x00", 200),
		"high bits":   "\xff\xff\xff\xff\xff\xff\xff\xff",
		"no cookie":   "\x00\x01\x00\x00" + strings.Repeat("\x00", 16),
		"no cookie 2": "\x00\x01\x00\x08" + strings.Repeat("\x00", 24),
	} {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := readAll(conn); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%s: %v", name, err)
		}
		_ = conn.Close()
	}
}

// TestLengthsThatOverflow sends the headers on which pion's reader of frames
// turns round and round in one place, were it given them.
func TestLengthsThatOverflow(t *testing.T) {
	s := open(t, nil)
	for _, head := range [][]byte{
		{0x00, 0x01, 0xff, 0xec, 0x21, 0x12, 0xa4, 0x42}, {0x00, 0x01, 0xff, 0xff, 0x21, 0x12, 0xa4, 0x42},
		{0x40, 0x00, 0xff, 0xfc, 0, 0, 0, 0}, {0x40, 0x00, 0xff, 0xff, 0, 0, 0, 0},
	} {
		r := &raw{conn: dial(t, s, "tcp"), server: net.UDPAddrFromAddrPort(s.Addr())}
		size := int(binary.BigEndian.Uint16(head[2:]))
		if head[0] == 0 {
			size += 20
		} else {
			size = 4 + (size+3)/4*4
		}
		r.write(t, append(head, make([]byte, size-len(head))...))
		r.alive(t)
	}
}

// TestClose ends allocations and connections, and frees the address.
func TestClose(t *testing.T) {
	s := open(t, nil)
	for _, network := range networks {
		conn := allocate(t, as(t, s, network, 1))
		to := echo(t)
		send(t, conn, conn, to, "some media")
	}
	idle, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	if err := readAll(idle); err != nil && !strings.Contains(err.Error(), "reset") {
		t.Errorf("a connection outlives its server: %v", err)
	}
	if stats := s.Stats(); stats.Allocations != 0 || stats.Asked != 2 {
		t.Errorf("%+v", stats)
	}
	open(t, func(c *turn.Config) { c.Addr = s.Addr().String() })
}

func TestAddressTaken(t *testing.T) {
	s := open(t, nil)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	for _, addr := range []string{s.Addr().String(), tcp.Addr().String(), "nonsense"} {
		_, err := turn.Open(t.Context(), turn.Config{Addr: addr, PublicIP: loopback})
		if err == nil || !strings.Contains(err.Error(), strings.TrimPrefix(addr, "127.0.0.1")) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// FuzzPackets sends packets, and signed requests with any attributes, and wants
// the server to live.
func FuzzPackets(f *testing.F) {
	s := open(f, nil)
	r := newRaw(f, s, "udp", 1)
	f.Add([]byte{}, uint16(1))
	f.Add([]byte{0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42}, uint16(1))
	f.Add(append([]byte{0, 0x12, 0, 0}, bytes.Repeat([]byte{1}, 20)...), uint16(8))
	f.Add([]byte{0x40, 0, 0, 4, 1, 2, 3, 4}, uint16(9))
	f.Add([]byte{0, 0x19, 0, 4, 17, 0, 0, 0, 0, 0x18, 0, 1, 0x80, 0, 0, 0}, uint16(3))
	f.Add([]byte{0, 0x0d, 0, 4, 0, 0, 0, 0}, uint16(4))
	f.Fuzz(func(t *testing.T, p []byte, method uint16) {
		if len(p) > 1400 {
			return
		}
		r.write(t, p)
		// The same as the attributes of messages, those of requests signed.
		for _, class := range []stun.MessageClass{stun.ClassRequest, stun.ClassIndication} {
			m := stun.New()
			m.TransactionID = stun.NewTransactionID()
			m.Type = stun.NewType(stun.Method(method&0xfff), class)
			m.WriteHeader()
			m.Raw = append(m.Raw, p...)
			m.Length = uint32(len(p))
			m.WriteLength()
			if len(p)%4 != 0 || m.Decode() != nil {
				continue
			}
			if class == stun.ClassRequest {
				for _, set := range r.identity {
					if set.AddTo(m) != nil {
						return
					}
				}
			}
			r.write(t, m.Raw)
		}
		r.request(t, stun.MethodAllocate, udp) // one may have ended it; there is an answer in any case
	})
}
