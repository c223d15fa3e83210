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

// Config configures a Server.
type Config struct {
	// Addr is the host:port for clients, over UDP and TCP. The host is an IPv4 address of this machine, or empty for
	// all of its addresses. With port 0 the system chooses a free one.
	Addr string
	// PublicIP is the public IPv4 address of this machine.
	PublicIP netip.Addr
	// MinPort to MaxPort are the UDP ports for relays, one for each allocation.
	MinPort, MaxPort uint16
	// AllowPrivate also relays to private networks and to this machine. Use it in tests, and if all clients are in
	// one network.
	AllowPrivate bool
	// UserAllocations limits the concurrent allocations of a user.
	UserAllocations int
	// UserBandwidth limits the bytes per second relayed for a user, over all allocations and both directions,
	// including UDP and IP headers. Packets above the limit are dropped, as on a slow link. 0: no limit.
	UserBandwidth int64
	// Credentials checks the credentials of clients.
	Credentials *Credentials

	Log *slog.Logger // discards
}

const (
	// Realm is the realm of the credentials. Clients need not know it beforehand.
	Realm = "onemeter"

	burst      = 64 << 10 // least burst of a user, in bytes
	headers    = 28       // of UDP and IPv4, in bytes
	readBuffer = 4 << 20  // in bytes; all UDP clients share one socket
)

// A Server relays packets. Its methods are safe for concurrent use.
type Server struct {
	cfg    Config
	policy policy
	addr   netip.AddrPort
	bind   netip.Addr // for relays
	local  netip.Addr // where relays send to each other
	pion   *turn.Server
	counts

	mu       sync.Mutex
	relays   map[uint16]*relay // by port
	clients  map[client]*relay
	accounts map[int64]*account
	claims   map[client]claim
	streams  map[client]*stream

	closing  chan struct{}  // closed under mu; then no stream is added
	readers  sync.WaitGroup // loops that read from clients
	relaying sync.WaitGroup // loops that read from peers
}

// A client is the address that a client's packets come from. pion handles one client in one loop, so its requests are
// not concurrent.
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

// An account has the allocations and the bandwidth of a user.
type account struct {
	allocations int // under Server.mu
	bandwidth   *rate.Limiter
}

// take takes bandwidth for a packet of n bytes, if there is any.
func (a *account) take(n int) bool { return a.bandwidth.AllowN(time.Now(), n+headers) }

// A claim is an admitted allocation that pion has not created yet.
type claim struct {
	login
	account *account
}

// Open listens on the address and serves it. The caller must call Close.
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
	_ = udp.(*net.UDPConn).SetReadBuffer(readBuffer) // the system may grant less
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
		LoggerFactory: &logging.DefaultLoggerFactory{DefaultLogLevel: logging.LogLevelDisabled}, // it would log a line for each packet
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

// listen opens the same port for UDP and TCP.
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
			break // another try would fail too
		}
	}
	return nil, nil, err
}

// ownAddrs returns the addresses of this machine's interfaces.
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

// Addr returns the address for clients. It has the actual port, also if Config.Addr has port 0.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// URLs returns the server's URLs for clients: for STUN, and for TURN over UDP and, for clients behind a firewall,
// over TCP.
func (s *Server) URLs() (stun, turn []string) {
	at := netip.AddrPortFrom(s.cfg.PublicIP, s.addr.Port()).String()
	return []string{"stun:" + at}, []string{"turn:" + at + "?transport=udp", "turn:" + at + "?transport=tcp"}
}

// authenticate returns the key with which pion verifies a request.
func (s *Server) authenticate(username, realm string, _ net.Addr) (key []byte, ok bool) {
	_, ok = s.cfg.Credentials.read(username, time.Now())
	if !ok || realm != Realm {
		return nil, false
	}
	return turn.GenerateAuthKey(username, realm, s.cfg.Credentials.password(username)), true
}

// admit claims an allocation for an authenticated client. created uses the claim, or refused gives it back.
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

// release gives one allocation back; the caller holds s.mu. The account is kept until its bandwidth has recovered, so
// that nobody gets more by allocating again.
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

// permit reports whether a client may exchange packets with an address.
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

// created assigns a relay that pion has created to the client that claimed it, before pion reads from it.
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

// refused is called for every failed request. An Allocate request may have had a claim.
func (s *Server) refused(c client, why string) {
	s.cfg.Log.Debug("turn: request failed", "network", c.network, "client", c.addr, "err", why)
	s.mu.Lock()
	defer s.mu.Unlock()
	if claim, ok := s.claims[c]; ok {
		delete(s.claims, c)
		s.release(claim.user, claim.account)
	}
}

// onRelay calls do with the relay at an address, unless it is closed: another relay may have its port by now.
func (s *Server) onRelay(at net.Addr, do func(*relay)) {
	s.mu.Lock()
	r := s.relays[portOf(at)]
	s.mu.Unlock()
	if r != nil && r.public == at {
		do(r)
	}
}

func portOf(addr net.Addr) uint16 { return addr.(*net.UDPAddr).AddrPort().Port() }

// Close ends all allocations and waits until everything has stopped. It may be called again.
func (s *Server) Close() error {
	streams, first := s.close()
	if !first {
		return nil
	}
	err := s.pion.Close()
	for _, c := range streams {
		_ = c.Conn.Close() // pion's loop ends and calls the stream's Close
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

// close marks the server as closed, and returns the open streams.
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

// open returns the open relays.
func (s *Server) open() (relays []*relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.relays {
		relays = append(relays, r)
	}
	return relays
}
