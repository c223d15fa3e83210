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

// What one allocation holds at most. A call needs a handful of each.
const (
	maxPeers    = 256
	maxChannels = 256
)

// A relay is the socket of an allocation. pion reads what comes from peers, and
// writes what goes to them; the relay lets through what may pass.
type relay struct {
	*net.UDPConn
	srv    *Server
	port   uint16
	public *net.UDPAddr // as pion and the world know it

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

// ReadFrom returns the next packet of a peer that the client has a permission
// for. What strangers send costs the client nothing.
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
		case n == len(p): // cut short, perhaps
		case !r.isPeer(from.Addr()):
		case !r.account.take(n):
			r.srv.overLimit.Add(1)
		default:
			r.srv.fromPeers.Add(int64(n))
			return n, net.UDPAddrFromAddrPort(from), nil
		}
	}
}

// WriteTo sends a packet to a peer, or drops it without a word, as networks do.
// pion has looked for the permission; that was for all ports of an address.
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

// Close frees the port and what the user had of it. pion ends the allocation
// when it hears of that. It may be called again.
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
		return // pion only looked whether the port is free
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

// hasRoom tells whether addr is a peer or may become one.
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

// inside says where a packet to peer goes, if it may go anywhere. What is for
// another relay of this server stays on this machine.
func (s *Server) inside(peer netip.AddrPort) (netip.AddrPort, bool) {
	if peer.Addr() == s.policy.public && s.policy.allows(peer.Addr()) && s.isRelay(peer.Port()) {
		return netip.AddrPortFrom(s.local, peer.Port()), true
	}
	return peer, s.policy.allowsPort(peer)
}

// outside says how the world knows the sender of a packet.
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

// A generator makes relays for pion.
type generator struct{ srv *Server }

// Validate implements turn.RelayAddressGenerator.
func (generator) Validate() error { return nil }

// AllocateConn implements turn.RelayAddressGenerator. pion never calls it.
func (generator) AllocateConn(string, int) (net.Conn, net.Addr, error) {
	return nil, nil, errors.New("turn: only UDP is relayed")
}

// maxTries is how many ports are tried that other programs may have: each costs
// all clients a moment.
const maxTries = 32

// AllocatePacketConn implements turn.RelayAddressGenerator: it takes a port at
// random, or the one that is asked for.
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
	return nil, nil, fmt.Errorf("turn: no port for a relay: %w", err)
}

// listenOn makes a relay that nobody has yet.
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
