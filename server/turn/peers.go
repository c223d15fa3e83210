package turn

import "net/netip"

// Addresses that are no peer's on the Internet (IANA's registry of special
// IPv4 addresses, and multicast).
var (
	// never are those of nobody, or of everybody.
	never = prefixes("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")
	// private are those of this machine, this network, or no network at all.
	private = prefixes(
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"169.254.0.0/16",                 // link-local; clouds tell secrets at 169.254.169.254
		"100.64.0.0/10",                  // between a provider and its customers
		"192.0.0.0/24", "192.88.99.0/24", // of protocols
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // of documentation
		"198.18.0.0/15", // of benchmarks
	)
)

func prefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

func within(all []netip.Prefix, addr netip.Addr) bool {
	for _, p := range all {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// Private tells whether addr is one that is relayed to only with
// Config.AllowPrivate.
func Private(addr netip.Addr) bool { return within(private, addr.Unmap()) }

// A policy says to whom packets are relayed.
type policy struct {
	allowPrivate bool
	public       netip.Addr // of this server
	own          map[netip.Addr]bool
}

// allows tells whether a client may have a permission for an address. An IPv4
// address in the clothes of an IPv6 one is what it really is; IPv6 itself is
// not relayed to.
func (p policy) allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	switch {
	case !addr.Is4() || within(never, addr):
		return false
	case p.allowPrivate:
		return true
	case within(private, addr):
		return false
	default: // on its public address, the server's relays are peers
		return addr == p.public || !p.own[addr]
	}
}

// allowsPort tells whether a packet may go to an address that it may not be
// one of this server's relays on. What listens on this machine trusts it more
// than it trusts strangers.
func (p policy) allowsPort(peer netip.AddrPort) bool {
	addr := peer.Addr().Unmap()
	return peer.Port() != 0 && p.allows(addr) && (p.allowPrivate || addr != p.public)
}
