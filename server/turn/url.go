package turn

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/pion/stun/v3"
)

var hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)

// ParseURLs sorts URLs of servers into STUN (RFC 7064) and TURN (RFC 7065): stun:host, turn:host:3478?transport=tcp,
// turns:host:5349 and so on. Its error names every wrong URL.
func ParseURLs(urls []string) (stunURLs, turnURLs []string, err error) {
	var faults []error
	for _, raw := range urls {
		uri, err := parseURL(raw)
		switch {
		case err != nil:
			faults = append(faults, err)
		case uri.Scheme == stun.SchemeTypeTURN || uri.Scheme == stun.SchemeTypeTURNS:
			turnURLs = append(turnURLs, raw)
		default:
			stunURLs = append(stunURLs, raw)
		}
	}
	return stunURLs, turnURLs, errors.Join(faults...)
}

func parseURL(raw string) (*stun.URI, error) {
	if strings.Contains(raw, "@") { // the part before it may be secret
		return nil, errors.New("a URL has an @: leave out user and password, which STUN and TURN URLs cannot have (RFC 7065)")
	}
	uri, err := stun.ParseURI(raw)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL such as stun:host:3478, turn:host:3478?transport=udp or turns:host:5349: %w", raw, err)
	}
	if _, err := netip.ParseAddr(uri.Host); err != nil && !hostname.MatchString(uri.Host) {
		return nil, fmt.Errorf("%q has the host %q: want a name or an IP address", raw, uri.Host)
	}
	if uri.Port < 1 || uri.Port > 65535 {
		return nil, fmt.Errorf("%q has the port %d: want 1 to 65535", raw, uri.Port)
	}
	return uri, nil
}
