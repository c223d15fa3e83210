package turn_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v3"
	pion "github.com/pion/turn/v4"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/turn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 20 * time.Second

var (
	loopback = netip.MustParseAddr("127.0.0.1")
	secret   = []byte("a secret of the tests")
)

// open opens a server on loopback until the test ends. It relays to loopback
// unless change says otherwise.
func open(t testing.TB, change func(*turn.Config)) *turn.Server {
	t.Helper()
	cfg := turn.Config{
		Addr: "127.0.0.1:0", PublicIP: loopback, MinPort: 49152, MaxPort: 65535,
		AllowPrivate: true, UserAllocations: 8, Credentials: turn.NewCredentials(secret, time.Hour),
	}
	if change != nil {
		change(&cfg)
	}
	s, err := turn.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// eventually waits until the server's counts fulfil ok.
func eventually(t testing.TB, s *turn.Server, what string, ok func(turn.Stats) bool) turn.Stats {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if stats := s.Stats(); ok(stats) {
			return stats
		} else if time.Now().After(deadline) {
			t.Fatalf("%s: not within %s: %+v", what, patience, stats)
		}
	}
}

// dial returns a socket to the server, over "udp" or "tcp".
func dial(t testing.TB, s *turn.Server, network string) net.PacketConn {
	t.Helper()
	var conn net.PacketConn
	if network == "udp" {
		udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		conn = udp
	} else {
		tcp, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn = pion.NewSTUNConn(tcp)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// login returns a client of pion's, as a user with the given credential.
func login(t testing.TB, s *turn.Server, network, username, password string) *pion.Client {
	t.Helper()
	client, err := pion.NewClient(&pion.ClientConfig{
		TURNServerAddr: s.Addr().String(), STUNServerAddr: s.Addr().String(), Conn: dial(t, s, network),
		Username: username, Password: password,
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// as is login with a credential that is good.
func as(t testing.TB, s *turn.Server, network string, user int64) *pion.Client {
	t.Helper()
	username, password := turn.NewCredentials(secret, time.Hour).For(user, time.Now())
	return login(t, s, network, username, password)
}

// allocate returns what the client sends from, and closes it when the test ends.
func allocate(t testing.TB, client *pion.Client) net.PacketConn {
	t.Helper()
	conn, err := client.Allocate()
	if err != nil {
		t.Fatalf("allocate: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// code is that of the error that a client was answered.
func code(err error) stun.ErrorCode {
	var refused *stun.TurnError
	if !errors.As(err, &refused) {
		return 0
	}
	return refused.ErrorCodeAttr.Code
}

// echo starts a peer that sends back what it gets.
func echo(t testing.TB) net.Addr {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := make([]byte, 2000); ; {
			n, from, err := conn.ReadFrom(p)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(p[:n], from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn.LocalAddr()
}

// send sends text until it is received at to, for UDP may lose it, and passes
// over what else comes. It returns from where it came.
func send(t testing.TB, from, to net.PacketConn, addr net.Addr, text string) net.Addr {
	t.Helper()
	p := make([]byte, 2000)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if _, err := from.WriteTo([]byte(text), addr); err != nil {
			t.Fatal(err)
		}
		_ = to.SetReadDeadline(time.Now().Add(time.Second))
		for {
			n, sender, err := to.ReadFrom(p)
			if err != nil {
				break
			}
			if string(p[:n]) == text {
				return sender
			}
		}
	}
	t.Fatalf("%q did not arrive", text)
	return nil
}

// A raw is a client that sends whatever it is told.
type raw struct {
	conn     net.PacketConn
	server   net.Addr
	identity []stun.Setter
}

// newRaw is a client that has an allocation.
func newRaw(t testing.TB, s *turn.Server, network string, user int64) *raw {
	t.Helper()
	r := &raw{conn: dial(t, s, network), server: net.UDPAddrFromAddrPort(s.Addr())}
	challenge := r.request(t, stun.MethodAllocate, udp)
	var nonce stun.Nonce
	var realm stun.Realm
	if err := errors.Join(nonce.GetFrom(challenge), realm.GetFrom(challenge)); err != nil {
		t.Fatal(err)
	}
	username, password := turn.NewCredentials(secret, time.Hour).For(user, time.Now())
	r.identity = []stun.Setter{
		stun.NewUsername(username), stun.NewRealm(realm.String()), stun.NewNonce(nonce.String()),
		stun.NewLongTermIntegrity(username, realm.String(), password),
	}
	if m := r.request(t, stun.MethodAllocate, udp); m.Type.Class != stun.ClassSuccessResponse {
		t.Fatalf("allocate: %v", m)
	}
	return r
}

// request sends one and returns its answer.
func (r *raw) request(t testing.TB, method stun.Method, attrs ...stun.Setter) *stun.Message {
	t.Helper()
	m, err := r.build(method, stun.ClassRequest, attrs...)
	if err != nil {
		t.Fatal(err)
	}
	r.write(t, m.Raw)
	return r.answer(t, m.TransactionID)
}

func (r *raw) build(method stun.Method, class stun.MessageClass, attrs ...stun.Setter) (*stun.Message, error) {
	all := append([]stun.Setter{stun.TransactionID, stun.NewType(method, class)}, attrs...)
	if class == stun.ClassRequest {
		all = append(all, r.identity...)
	}
	return stun.Build(all...)
}

func (r *raw) write(t testing.TB, p []byte) {
	t.Helper()
	if _, err := r.conn.WriteTo(p, r.server); err != nil {
		t.Fatal(err)
	}
}

func (r *raw) answer(t testing.TB, id [stun.TransactionIDSize]byte) *stun.Message {
	t.Helper()
	p := make([]byte, 2000)
	_ = r.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		n, _, err := r.conn.ReadFrom(p)
		if err != nil {
			t.Fatalf("no answer: %v", err)
		}
		m := &stun.Message{Raw: p[:n]}
		if m.Decode() == nil && m.TransactionID == id {
			return m
		}
	}
}

// alive wants the server to answer.
func (r *raw) alive(t testing.TB) {
	t.Helper()
	if m := r.request(t, stun.MethodBinding); m.Type != stun.BindingSuccess {
		t.Fatalf("binding: %v", m)
	}
}

// attribute is one of any type.
type attribute struct {
	kind  stun.AttrType
	value []byte
}

func (a attribute) AddTo(m *stun.Message) error {
	m.Add(a.kind, a.value)
	return nil
}

// udp is what clients ask to be relayed.
var udp = attribute{stun.AttrRequestedTransport, []byte{17, 0, 0, 0}}

// peer is the address of one.
type peer netip.AddrPort

func (p peer) AddTo(m *stun.Message) error {
	ap := netip.AddrPort(p)
	return stun.XORMappedAddress{IP: ap.Addr().AsSlice(), Port: int(ap.Port())}.AddToAs(m, stun.AttrXORPeerAddress)
}

func peerAt(text string) peer { return peer(netip.MustParseAddrPort(text)) }

// channel is the number of one.
func channel(n uint16) attribute {
	return attribute{stun.AttrChannelNumber, binary.BigEndian.AppendUint32(nil, uint32(n)<<16)}
}

// readAll reads until the other end closes.
func readAll(conn net.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	_, err := io.Copy(io.Discard, conn)
	if err != nil {
		return fmt.Errorf("not closed: %w", err)
	}
	return nil
}
