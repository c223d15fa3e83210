package turn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/pion/logging"
	"github.com/pion/turn/v4"
	"golang.org/x/time/rate"
)

// Config is what a Server is opened with.
type Config struct {
	// Addr is the host:port that clients come to, over UDP and over TCP. The
	// host is an IPv4 address of this machine, or empty for all of its
	// addresses; port 0 is any that is free.
	Addr string
	// PublicIP is the IPv4 address that the world knows this machine by.
	PublicIP netip.Addr
	// MinPort to MaxPort are those of relays, one UDP port an allocation.
	MinPort, MaxPort uint16
	// AllowPrivate relays to the addresses of private networks, too, and to
	// this machine: to be used in tests, and where all clients are in one network.
	AllowPrivate bool
	// UserAllocations is how many allocations a user has at a time.
	UserAllocations int
	// UserBandwidth is how many bytes a second are relayed for a user, over all
	// allocations and both ways, headers of UDP and IP included. What comes
	// above it is dropped, as a narrow line would. 0: no limit.
	UserBandwidth int64
	// Credentials are those that clients must have.
	Credentials *Credentials

	Log *slog.Logger // discards
}

const (
	// Realm is what passwords are for; nobody has to know it beforehand.
	Realm = "onemeter"

	burst      = 64 << 10 // bytes that a user may send at once, at the least
	headers    = 28       // bytes, of UDP and IPv4
	readBuffer = 4 << 20  // bytes: all UDP clients come to one socket
)

// A Server relays. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	policy policy
	addr   netip.AddrPort
	bind   netip.Addr // of relays
	local  netip.Addr // where relays send to each other
	pion   *turn.Server
	counts

	mu       sync.Mutex
	relays   map[uint16]*relay // by port
	clients  map[client]*relay
	accounts map[int64]*account
	claims   map[client]claim
	streams  map[client]*stream

	closing  chan struct{}  // under mu; then there are no more streams
	readers  sync.WaitGroup // the loops that read from clients
	relaying sync.WaitGroup // those that read from peers
}

// A client is where a client's packets come from. pion hears one client in one
// loop, so nothing here happens twice at once for one.
type client struct {
	network string
	addr    netip.AddrPort
}

func clientOf(addr net.Addr) client {
	var ap netip.AddrPort
	switch a := addr.(type) {
	case *net.UDPAddr:
		ap = a.AddrPort()
	case *net.TCPAddr:
		ap = a.AddrPort()
	}
	return client{addr.Network(), netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())}
}

// An account is what a user has of the server.
type account struct {
	allocations int // under Server.mu
	bandwidth   *rate.Limiter
}

// take takes the room for a packet, if there is any.
func (a *account) take(n int) bool { return a.bandwidth.AllowN(time.Now(), n+headers) }

// A claim is an allocation that was admitted and is about to be made.
type claim struct {
	login
	account *account
}

// Open takes the address and serves it. The caller calls Close.
func Open(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	udp, tcp, err := listen(ctx, cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("turn: %w", err)
	}
	s := &Server{
		cfg: cfg, addr: udp.LocalAddr().(*net.UDPAddr).AddrPort(),
		bind: netip.IPv4Unspecified(), local: netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		relays: make(map[uint16]*relay), clients: make(map[client]*relay),
		accounts: make(map[int64]*account), claims: make(map[client]claim),
		streams: make(map[client]*stream), closing: make(chan struct{}),
	}
	if ip := s.addr.Addr().Unmap(); !ip.IsUnspecified() {
		s.bind, s.local = ip, ip
	}
	_ = udp.(*net.UDPConn).SetReadBuffer(readBuffer) // as far as the system lets us
	own, err := ownAddrs()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("turn: addresses of this machine: %w", err), udp.Close(), tcp.Close())
	}
	s.policy = policy{allowPrivate: cfg.AllowPrivate, public: cfg.PublicIP.Unmap(), own: own}
	s.readers.Add(1)
	s.pion, err = turn.NewServer(turn.ServerConfig{
		Realm:         Realm,
		AuthHandler:   s.authenticate,
		QuotaHandler:  s.admit,
		EventHandler:  s.events(),
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}, // a line a packet
		PacketConnConfigs: []turn.PacketConnConfig{
			{PacketConn: &packets{PacketConn: udp, srv: s}, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit},
		},
		ListenerConfigs: []turn.ListenerConfig{
			{Listener: &listener{Listener: tcp, srv: s}, RelayAddressGenerator: generator{s}, PermissionHandler: s.permit},
		},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("turn: %w", err), udp.Close(), tcp.Close())
	}
	return s, nil
}

// listen takes one port for UDP and TCP.
func listen(ctx context.Context, addr string) (udp net.PacketConn, tcp net.Listener, err error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	var lc net.ListenConfig
	for range 10 {
		if udp, err = lc.ListenPacket(ctx, "udp", addr); err != nil {
			return nil, nil, err
		}
		tcp, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(udp.LocalAddr().(*net.UDPAddr).Port)))
		if err == nil {
			return udp, tcp, nil
		}
		err = errors.Join(err, udp.Close())
		if port != "0" {
			break // another try would find it taken, too
		}
	}
	return nil, nil, err
}

// ownAddrs are the addresses of this machine's interfaces.
func ownAddrs() (map[netip.Addr]bool, error) {
	own := make(map[netip.Addr]bool)
	addrs, err := net.InterfaceAddrs()
	for _, addr := range addrs {
		if p, err := netip.ParsePrefix(addr.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own, err
}

// Addr is where clients come to: the port is known even where the
// configuration left it to the system.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// URLs are what a client is told: the server as one of STUN, and as one of
// TURN, over UDP and, for those who are behind a wall, over TCP.
func (s *Server) URLs() (stun, turn []string) {
	at := netip.AddrPortFrom(s.cfg.PublicIP, s.addr.Port()).String()
	return []string{"stun:" + at}, []string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
}

// authenticate returns the key of a request that pion then verifies.
func (s *Server) authenticate(username, realm string, _ net.Addr) (key []byte, ok bool) {
	_, ok = s.cfg.Credentials.read(username, time.Now())
	if !ok || realm != Realm {
		return nil, false
	}
	return turn.GenerateAuthKey(username, realm, s.cfg.Credentials.password(username)), true
}

// admit claims an allocation for a client that is who it says it is. created
// makes use of the claim, or refused gives it back.
func (s *Server) admit(username, _ string, from net.Addr) bool {
	l, ok := s.cfg.Credentials.read(username, time.Now())
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[l.user]
	if a == nil {
		a = &account{bandwidth: s.limiter()}
		s.accounts[l.user] = a
	}
	if a.allocations >= s.cfg.UserAllocations {
		return false
	}
	a.allocations++
	s.claims[clientOf(from)] = claim{login: l, account: a}
	return true
}

func (s *Server) limiter() *rate.Limiter {
	if s.cfg.UserBandwidth == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(s.cfg.UserBandwidth), max(burst, int(s.cfg.UserBandwidth)))
}

// release gives one allocation back; s.mu is held. The account is kept until
// its bandwidth is whole again, so that nobody gets more of it by allocating anew.
func (s *Server) release(user int64, a *account) {
	if a.allocations--; a.allocations > 0 {
		return
	}
	full := time.Second
	if limit := a.bandwidth.Limit(); limit != rate.Inf {
		full = time.Duration(float64(a.bandwidth.Burst()) / float64(limit) * float64(time.Second))
	}
	time.AfterFunc(full, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if a.allocations == 0 && s.accounts[user] == a {
			delete(s.accounts, user)
		}
	})
}

// permit says whether a client may send to, and hear from, an address.
func (s *Server) permit(from net.Addr, ip net.IP) bool {
	s.mu.Lock()
	r := s.clients[clientOf(from)]
	s.mu.Unlock()
	addr, ok := netip.AddrFromSlice(ip)
	if ok && r != nil && s.policy.allows(addr) && r.hasRoom(addr.Unmap()) {
		return true
	}
	s.denied.Add(1)
	return false
}

func (s *Server) events() turn.EventHandler {
	return turn.EventHandler{
		OnAllocationCreated: func(src, _ net.Addr, _, _, _ string, at net.Addr, _ int) { s.created(clientOf(src), portOf(at)) },
		OnAllocationError:   func(src, _ net.Addr, _, why string) { s.refused(clientOf(src), why) },
		OnPermissionCreated: func(_, _ net.Addr, _, _, _ string, at net.Addr, peer net.IP) {
			s.onRelay(at, func(r *relay) { r.setPeer(peer, true) })
		},
		OnPermissionDeleted: func(_, _ net.Addr, _, _, _ string, at net.Addr, peer net.IP) {
			s.onRelay(at, func(r *relay) { r.setPeer(peer, false) })
		},
		OnChannelCreated: func(_, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
			s.onRelay(at, func(r *relay) { r.channels.Add(1) })
		},
		OnChannelDeleted: func(_, _ net.Addr, _, _, _ string, at, _ net.Addr, _ uint16) {
			s.onRelay(at, func(r *relay) { r.channels.Add(-1) })
		},
	}
}

// created hands a relay that pion has made to the client that claimed it,
// before pion reads from it.
func (s *Server) created(c client, port uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, claim := s.relays[port], s.claims[c]
	delete(s.claims, c)
	r.client, r.user, r.account = c, claim.user, claim.account
	r.end = time.AfterFunc(time.Until(claim.until), func() { _ = r.Close() })
	s.clients[c] = r
	s.relaying.Add(1)
	s.granted.Add(1)
}

// refused hears of every request that failed; one to allocate may have had a
// claim by then.
func (s *Server) refused(c client, why string) {
	s.cfg.Log.Debug("turn: request failed", "network", c.network, "client", c.addr, "err", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if claim, ok := s.claims[c]; ok {
		delete(s.claims, c)
		s.release(claim.user, claim.account)
	}
}

// onRelay does something to the relay at an address, unless that is closed:
// another one may have its port by now.
func (s *Server) onRelay(at net.Addr, do func(*relay)) {
	s.mu.Lock()
	r := s.relays[portOf(at)]
	s.mu.Unlock()
	if r != nil && r.public == at {
		do(r)
	}
}

func portOf(addr net.Addr) uint16 { return addr.(*net.UDPAddr).AddrPort().Port() }

// Close ends all allocations and waits for all that it has started. It may be
// called again.
func (s *Server) Close() error {
	streams, first := s.close()
	if !first {
		return nil
	}
	err := s.pion.Close()
	for _, c := range streams {
		_ = c.Conn.Close() // pion's loop ends, and calls the stream's own
	}
	s.readers.Wait()
	for _, r := range s.open() {
		_ = r.Close()
	}
	s.relaying.Wait()
	if err != nil {
		return fmt.Errorf("turn: close: %w", err)
	}
	return nil
}

// close marks the server as closed, and returns the streams that there are.
func (s *Server) close() (streams []*stream, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosing() {
		return nil, false
	}
	close(s.closing)
	for _, c := range s.streams {
		streams = append(streams, c)
	}
	return streams, true
}

func (s *Server) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// open returns the relays that are still there.
func (s *Server) open() (relays []*relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.relays {
		relays = append(relays, r)
	}
	return relays
}
