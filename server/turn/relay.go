package turn

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of one allocation. A call needs a handful of each.
const (
	maxPeers    = 256
	maxChannels = 256
)

// A relay is the socket of an allocation. pion reads packets from peers and writes packets to them; the relay drops
// forbidden ones.
type relay struct {
	*net.UDPConn
	srv    *Server
	port   uint16
	public *net.UDPAddr // the address for pion and for peers

	// Set by Server.created, before pion reads or writes.
	client  client
	user    int64
	account *account
	end     *time.Timer // of the credential

	mu       sync.Mutex
	peers    map[netip.Addr]bool
	channels atomic.Int64

	closed bool // under Server.mu
}

// ReadFrom returns the next packet from a peer that the client has a permission for. Packets of strangers do not
// count against the user's bandwidth.
func (r *relay) ReadFrom(p []byte) (int, net.Addr, error) {
	for {
		n, from, err := r.ReadFromUDPAddrPort(p)
		if err != nil {
			if r.account != nil {
				r.srv.relaying.Done() // pion does not read again
			}
			return 0, nil, err
		}
		from = r.srv.outside(from)
		switch {
		case n == len(p): // perhaps truncated
		case !r.isPeer(from.Addr()):
		case !r.account.take(n):
			r.srv.overLimit.Add(1)
		default:
			r.srv.fromPeers.Add(int64(n))
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// WriteTo sends a packet to a peer, or drops it silently, as networks do. pion has checked the permission, but only
// for the address, not for the port.
func (r *relay) WriteTo(p []byte, to net.Addr) (int, error) {
	peer, ok := r.srv.inside(clientOf(to).addr)
	if !ok {
		r.srv.forbidden.Add(1)
		return len(p), nil
	}
	if !r.account.take(len(p)) {
		r.srv.overLimit.Add(1)
		return len(p), nil
	}
	n, err := r.WriteToUDPAddrPort(p, peer)
	r.srv.toPeers.Add(int64(n))
	return n, err
}

// Close frees the port and the user's allocation. pion then ends the allocation. It may be called again.
func (r *relay) Close() error {
	r.srv.forget(r)
	if err := r.UDPConn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s *Server) forget(r *relay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	delete(s.relays, r.port)
	if r.account == nil {
		return // pion only checked whether the port is free
	}
	r.end.Stop()
	if s.clients[r.client] == r {
		delete(s.clients, r.client)
	}
	s.release(r.user, r.account)
}

func (r *relay) isPeer(addr netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[addr]
}

// hasRoom reports whether addr is a peer or may become one.
func (r *relay) hasRoom(addr netip.Addr) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return (r.peers[addr] || len(r.peers) < maxPeers) && r.channels.Load() < maxChannels
}

func (r *relay) setPeer(ip net.IP, there bool) {
	addr, _ := netip.AddrFromSlice(ip)
	r.mu.Lock()
	defer r.mu.Unlock()
	if there {
		r.peers[addr.Unmap()] = true
	} else {
		delete(r.peers, addr.Unmap())
	}
}

// inside returns the address to send a packet for peer to, and whether that is allowed. Packets for another relay of
// this server stay on this machine.
func (s *Server) inside(peer netip.AddrPort) (netip.AddrPort, bool) {
	if peer.Addr() == s.policy.public && s.policy.allows(peer.Addr()) && s.isRelay(peer.Port()) {
		return netip.AddrPortFrom(s.local, peer.Port()), true
	}
	return peer, s.policy.allowsPort(peer)
}

// outside returns the public address of a packet's sender.
func (s *Server) outside(from netip.AddrPort) netip.AddrPort {
	addr := from.Addr().Unmap()
	if addr == s.local && s.isRelay(from.Port()) {
		addr = s.policy.public
	}
	return netip.AddrPortFrom(addr, from.Port())
}

func (s *Server) isRelay(port uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.relays[port] != nil
}

// A generator creates relays for pion.
type generator struct{ srv *Server }

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocateConn implements turn.RelayAddressGenerator. pion never calls it.
func (generator) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errors.New("turn: only UDP is relayed")
}

// maxTries limits how many ports are tried if other programs use them: each try delays all clients.
const maxTries = 32

// AllocatePacketConn implements turn.RelayAddressGenerator. It uses a random port, or the requested one.
func (g generator) AllocatePacketConn(_ string, port int) (net.PacketConn, net.Addr, error) {
	if port != 0 {
		return g.srv.listenOn(uint16(port))
	}
	first, count := int(g.srv.cfg.MinPort), int(g.srv.cfg.MaxPort)-int(g.srv.cfg.MinPort)+1
	start, err := rand.IntN(count), errors.New("all are in use")
	for i, tries := 0, 0; i < count && tries < maxTries; i++ {
		port := uint16(first + (start+i)%count)
		if g.srv.isRelay(port) {
			continue
		}
		conn, addr, listenErr := g.srv.listenOn(port)
		if listenErr == nil {
			return conn, addr, nil
		}
		err = listenErr
		tries++
	}
	return nil, nil, fmt.Errorf("turn: no free port for a relay: %w", err)
}

// listenOn creates a relay that belongs to no client yet.
func (s *Server) listenOn(port uint16) (net.PacketConn, net.Addr, error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.bind, port)))
	if err != nil {
		return nil, nil, err
	}
	r := &relay{
		UDPConn: conn, srv: s, port: port, peers: make(map[netip.Addr]bool),
		public: net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.policy.public, port)),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.relays[port] = r
	return r, r.public, nil
}
