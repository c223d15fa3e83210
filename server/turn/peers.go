package turn

import "net/netip"

// Addresses that cannot be a peer on the Internet (from IANA's registry of special IPv4 addresses, and multicast).
var (
	// never has addresses that belong to nobody or to everybody.
	never = prefixes("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")
	// private has addresses of this machine, of local networks, or of no network.
	private = prefixes(
		"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
		"169.254.0.0/16",                 // link-local; clouds serve secrets at 169.254.169.254
		"100.64.0.0/10",                  // between a provider and its customers
		"192.0.0.0/24", "192.88.99.0/24", // for protocols
		"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", // for documentation
		"198.18.0.0/15", // for benchmarks
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

// Private reports whether packets are relayed to addr only with Config.AllowPrivate.
func Private(addr netip.Addr) bool { return within(private, addr.Unmap()) }

// A policy says where packets may be relayed to.
type policy struct {
	allowPrivate bool
	public       netip.Addr // of this server
	own          map[netip.Addr]bool
}

// allows reports whether a client may have a permission for an address. An IPv4-mapped IPv6 address counts as IPv4;
// other IPv6 addresses are not allowed.
func (p policy) allows(addr netip.Addr) bool {
	addr = addr.Unmap()
	switch {
	case !addr.Is4() || within(never, addr):
		return false
	case p.allowPrivate:
		return true
	case within(private, addr):
		return false
	default: // the public address is allowed, because other relays of this server are there
		return addr == p.public || !p.own[addr]
	}
}

// allowsPort reports whether a packet may go to an address, if no relay of this server has it. Programs on this
// machine may trust it more than strangers.
func (p policy) allowsPort(peer netip.AddrPort) bool {
	addr := peer.Addr().Unmap()
	return peer.Port() != 0 && p.allows(addr) && (p.allowPrivate || addr != p.public)
}
