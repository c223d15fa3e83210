package turn

import "sync/atomic"

// Stats are counts since Open, Allocations apart.
type Stats struct {
	// Asked are the requests to allocate that came to a decision, Failed those
	// of them that the client did not get: a wrong or ended credential, no
	// allocation left for the user, no free port, and so on. That a client first
	// asks without a credential, or with a stale nonce, and is told to come back,
	// belongs to the protocol and is in neither.
	Asked, Failed int64
	// Allocations are those that there are now.
	Allocations int
	// ToPeers and FromPeers are the bytes relayed, without headers.
	ToPeers, FromPeers int64
	// OverLimit and Forbidden are packets that were dropped: above the bandwidth
	// of their user, and to where nothing is relayed.
	OverLimit, Forbidden int64
	// Denied are the addresses that clients asked a permission for, and did not
	// get. Those of peers in private networks are always among them.
	Denied int64
}

type counts struct {
	granted, failed      atomic.Int64
	toPeers, fromPeers   atomic.Int64
	overLimit, forbidden atomic.Int64
	denied               atomic.Int64
}

// Stats returns what there is to know now.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	allocations := len(s.clients)
	s.mu.Unlock()
	failed := s.failed.Load() // before granted, so that Asked is never less
	return Stats{
		Asked: s.granted.Load() + failed, Failed: failed, Allocations: allocations,
		ToPeers: s.toPeers.Load(), FromPeers: s.fromPeers.Load(),
		OverLimit: s.overLimit.Load(), Forbidden: s.forbidden.Load(), Denied: s.denied.Load(),
	}
}
