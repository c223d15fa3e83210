package server

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/server/turn"
)

// iceTTL is how long credentials of TURN are good. A client cannot change them
// while it calls, so they have to outlive the longest call; a user who is
// logged out or banned can relay until they end.
const iceTTL = 12 * time.Hour

// ice is what clients are told to find each other by.
type ice struct {
	stun, turn, external []string // URLs: all of STUN; of our TURN; of TURN elsewhere
	own, others          *turn.Credentials
}

// openICE opens the TURN server, if there is to be one.
func (s *Server) openICE(ctx context.Context) (err error) {
	if s.ice.stun, s.ice.external, err = turn.ParseURLs(s.cfg.ICEServers); err != nil {
		return err
	}
	s.ice.others = turn.NewCredentials([]byte(s.cfg.ICESecret), iceTTL)
	if s.cfg.TURNAddr == "" {
		return nil
	}
	cfg, err := s.cfg.turn()
	if err != nil {
		return err
	}
	secret, err := s.turnSecret()
	if err != nil {
		return err
	}
	s.ice.own = turn.NewCredentials(secret, iceTTL)
	cfg.Credentials, cfg.Log = s.ice.own, s.log
	if s.turn, err = turn.Open(ctx, cfg); err != nil {
		return fmt.Errorf("%w (choose another address with --turn-addr)", err)
	}
	s.close = append(s.close, s.turn.Close)
	if turn.Private(cfg.PublicIP) && !cfg.AllowPrivate {
		s.log.Warn("--turn-public-ip is a private address: two clients that both need the relay do not reach each other without --turn-allow-private",
			"ip", cfg.PublicIP.String())
	}
	stun, relay := s.turn.URLs()
	s.ice.stun, s.ice.turn = append(stun, s.ice.stun...), relay
	return nil
}

// turnSecret is the one that was given, or one that all nodes derive alike from
// that of access tokens, and that does not tell it.
func (s *Server) turnSecret() ([]byte, error) {
	if s.cfg.TURNSecret != "" {
		return []byte(s.cfg.TURNSecret), nil
	}
	secret, err := s.secret()
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, secret, nil, "onemeter turn credentials", sha256.Size)
}

// iceFor is what a user's clients are told.
func (s *Server) iceFor(userID int64) rest.ICE {
	answer, now := rest.ICE{TTL: iceTTL}, time.Now()
	if len(s.ice.stun) > 0 {
		answer.Servers = append(answer.Servers, rest.ICEServer{URLs: s.ice.stun})
	}
	add := func(urls []string, credentials *turn.Credentials) {
		if len(urls) > 0 {
			username, password := credentials.For(userID, now)
			answer.Servers = append(answer.Servers, rest.ICEServer{URLs: urls, Username: username, Credential: password})
		}
	}
	add(s.ice.turn, s.ice.own)
	add(s.ice.external, s.ice.others)
	return answer
}

// TURNAddr is where STUN and TURN are served: the port is known even where the
// configuration left it to the system. It is zero where there is none.
func (s *Server) TURNAddr() netip.AddrPort {
	if s.turn == nil {
		return netip.AddrPort{}
	}
	return s.turn.Addr()
}

// whereTURN is what the log says of it.
func (s *Server) whereTURN() []any {
	if s.turn == nil {
		return nil
	}
	return []any{"turn", s.ice.turn[0], "turn-relay-ports", s.cfg.TURNRelayPorts}
}

// turn says how the TURN server is to be opened. Its error names every fault.
func (c Config) turn() (turn.Config, error) {
	var f faults
	cfg := turn.Config{
		Addr: c.TURNAddr, AllowPrivate: c.TURNAllowPrivate,
		UserAllocations: c.TURNUserAllocations, UserBandwidth: c.TURNUserBandwidth,
	}
	host, err := c.turnHost()
	f.add("--turn-addr", err)
	cfg.PublicIP, err = c.publicIP(host)
	f.add("--turn-public-ip", err)
	cfg.MinPort, cfg.MaxPort, err = portRange(c.TURNRelayPorts)
	f.add("--turn-relay-ports", err)
	return cfg, errors.Join(f...)
}

// turnHost is the address in --turn-addr, unspecified for all of this machine.
func (c Config) turnHost() (netip.Addr, error) {
	if err := checkAddr(c.TURNAddr); err != nil {
		return netip.Addr{}, err
	}
	host, _, err := net.SplitHostPort(c.TURNAddr)
	if err != nil || host == "" {
		return netip.IPv4Unspecified(), err
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.Is4() {
		return netip.Addr{}, fmt.Errorf("is %q: the host is an IPv4 address of this machine, or left out for all of them", c.TURNAddr)
	}
	return ip, nil
}

func (c Config) publicIP(host netip.Addr) (netip.Addr, error) {
	if c.TURNPublicIP == "" && host.IsUnspecified() {
		return netip.Addr{}, errors.New("is required where --turn-addr names no address: the IPv4 address that clients reach this machine by")
	}
	if c.TURNPublicIP == "" {
		return host, nil
	}
	ip, err := netip.ParseAddr(c.TURNPublicIP)
	if err != nil || !ip.Is4() || ip.IsUnspecified() || ip.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("is %q: one IPv4 address, such as 198.51.100.7", c.TURNPublicIP)
	}
	return ip, nil
}

// portRange reads "49152-65535".
func portRange(text string) (first, last uint16, err error) {
	from, to, ok := strings.Cut(text, "-")
	low, lowErr := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	high, highErr := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if !ok || lowErr != nil || highErr != nil || low == 0 || low > high {
		return 0, 0, fmt.Errorf("is %q: the first and the last port, such as 49152-65535", text)
	}
	return uint16(low), uint16(high), nil
}

// checkCalls names the faults of what calls need.
func (c Config) checkCalls(f *faults) {
	if c.TURNAddr != "" {
		_, err := c.turn()
		*f = append(*f, err)
	} else {
		f.unless(c.TURNPublicIP == "", "--turn-public-ip", "is for the TURN server that --turn-addr asks for, and there is none")
	}
	f.unless(c.TURNUserAllocations > 0, "--turn-user-allocations", "is %d: a positive number", c.TURNUserAllocations)
	f.unless(c.TURNUserBandwidth >= 0, "--turn-user-bandwidth", "is %d: 0 (no limit) or more", c.TURNUserBandwidth)
	n := len(c.TURNSecret)
	f.unless(n == 0 || n >= minSecret, "IM_TURN_SECRET", "has %d bytes, and should have %d or more: openssl rand -hex 32", n, minSecret)
	_, relays, err := turn.ParseURLs(c.ICEServers)
	f.add("--ice-servers", err)
	f.unless(len(relays) == 0 || c.ICESecret != "", "IM_ICE_SECRET",
		"is required where --ice-servers has TURN: what its servers have as static-auth-secret (coturn, use-auth-secret)")
}
