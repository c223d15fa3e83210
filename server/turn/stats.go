package turn

import "sync/atomic"

// Stats are counts since Open, except Allocations.
type Stats struct {
	// Asked counts the Allocate requests that were decided, Failed those that were refused: wrong or expired
	// credential, user's limit reached, no free port, and so on. A first request without a credential, or one with a
	// stale nonce, is part of the protocol and is not counted.
	Asked, Failed int64
	// Allocations is the current number.
	Allocations int
	// ToPeers and FromPeers are the bytes relayed, without headers.
	ToPeers, FromPeers int64
	// OverLimit and Forbidden count dropped packets: above the user's bandwidth, and to forbidden addresses.
	OverLimit, Forbidden int64
	// Denied counts permissions that clients asked for and did not get. Peers in private networks are always among
	// them.
	Denied int64
}

type counts struct {
	granted, failed      atomic.Int64
	toPeers, fromPeers   atomic.Int64
	overLimit, forbidden atomic.Int64
	denied               atomic.Int64
}

// Stats returns the current numbers.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	allocations := len(s.clients)
	s.mu.Unlock()
	failed := s.failed.Load() // loaded before granted, so that Asked is never less
	return Stats{
		Asked: s.granted.Load() + failed, Failed: failed, Allocations: allocations,
		ToPeers: s.toPeers.Load(), FromPeers: s.fromPeers.Load(),
		OverLimit: s.overLimit.Load(), Forbidden: s.forbidden.Load(), Denied: s.denied.Load(),
	}
}
