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

// iceTTL is how long TURN credentials are valid. A client cannot replace them during a call, so they must be valid
// longer than the longest call. A user who is logged out or banned can use the relay until they expire.
const iceTTL = 12 * time.Hour

// ice has the STUN and TURN servers for clients.
type ice struct {
	stun, turn, external []string // URLs of all STUN servers, of our TURN server, and of other TURN servers
	own, others          *turn.Credentials
}

// openICE opens the TURN server, if the configuration asks for one.
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
		s.log.Warn("--turn-public-ip is a private address: two clients that both need the relay cannot reach each other; "+
			"set --turn-allow-private", "ip", cfg.PublicIP.String())
	}
	stun, relay := s.turn.URLs()
	s.ice.stun, s.ice.turn = append(stun, s.ice.stun...), relay
	return nil
}

// turnSecret returns the secret of the setting, or derives one from the secret for access tokens. All nodes derive the
// same, and it does not reveal the other secret.
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

// iceFor returns the servers for a user's clients, with credentials.
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

// TURNAddr returns the address of STUN and TURN, with the actual port if the configured one is 0. It is zero if there
// is no TURN server.
func (s *Server) TURNAddr() netip.AddrPort {
	if s.turn == nil {
		return netip.AddrPort{}
	}
	return s.turn.Addr()
}

// whereTURN returns the log attributes of the TURN server.
func (s *Server) whereTURN() []any {
	if s.turn == nil {
		return nil
	}
	return []any{"turn", s.ice.turn[0], "turn-relay-ports", s.cfg.TURNRelayPorts}
}

// turn returns the configuration of the TURN server. Its error names every fault.
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

// turnHost returns the IP address in --turn-addr. It is 0.0.0.0 for all addresses of this machine.
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
		return netip.Addr{}, fmt.Errorf("is %q, but its host must be an IPv4 address of this machine, or empty for all of them", c.TURNAddr)
	}
	return ip, nil
}

func (c Config) publicIP(host netip.Addr) (netip.Addr, error) {
	if c.TURNPublicIP == "" && host.IsUnspecified() {
		return netip.Addr{}, errors.New("is required if --turn-addr has no IP address: set the IPv4 address by which clients reach this machine")
	}
	if c.TURNPublicIP == "" {
		return host, nil
	}
	ip, err := netip.ParseAddr(c.TURNPublicIP)
	if err != nil || !ip.Is4() || ip.IsUnspecified() || ip.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("is %q, but must be an IPv4 address, such as 198.51.100.7", c.TURNPublicIP)
	}
	return ip, nil
}

// portRange parses a range such as "49152-65535".
func portRange(text string) (first, last uint16, err error) {
	from, to, ok := strings.Cut(text, "-")
	low, lowErr := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	high, highErr := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	if !ok || lowErr != nil || highErr != nil || low == 0 || low > high {
		return 0, 0, fmt.Errorf("is %q, but must be the first and the last port, such as 49152-65535", text)
	}
	return uint16(low), uint16(high), nil
}

// checkCalls adds the faults of the settings for calls.
func (c Config) checkCalls(f *faults) {
	if c.TURNAddr != "" {
		_, err := c.turn()
		*f = append(*f, err)
	} else {
		f.unless(c.TURNPublicIP == "", "--turn-public-ip", "has no effect without --turn-addr: set that, or leave this out")
		_, _, err := portRange(c.TURNRelayPorts)
		f.add("--turn-relay-ports", err)
	}
	f.positive("--turn-user-allocations", int64(c.TURNUserAllocations))
	f.unless(c.TURNUserBandwidth >= 0, "--turn-user-bandwidth", "is %d, but must be 0 (no limit) or more", c.TURNUserBandwidth)
	n := len(c.TURNSecret)
	f.unless(n == 0 || n >= minSecret, "IM_TURN_SECRET", "has %d bytes, but must have %d or more: openssl rand -hex 32 makes one", n, minSecret)
	_, relays, err := turn.ParseURLs(c.ICEServers)
	f.add("--ice-servers", err)
	f.unless(len(relays) == 0 || c.ICESecret != "", "IM_ICE_SECRET",
		"is required if --ice-servers has a TURN server: set the static-auth-secret of that server (coturn, with use-auth-secret)")
}
