package server

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// faults are the errors of a configuration, each with the name of its setting.
type faults []error

// add adds err, if it is not nil. The error of a URL can have several lines, one for each fault.
func (f *faults) add(setting string, err error) {
	if err != nil {
		*f = append(*f, fmt.Errorf("%s: %s", setting, strings.ReplaceAll(err.Error(), "\n", "\n"+setting+": ")))
	}
}

// unless adds a fault if ok is false.
func (f *faults) unless(ok bool, setting, format string, args ...any) {
	if !ok {
		f.add(setting, fmt.Errorf(format, args...))
	}
}

func (f *faults) positive(setting string, n int64) {
	f.unless(n > 0, setting, "is %d, but must be a positive number", n)
}

func (f *faults) positiveTime(setting string, d time.Duration) {
	f.unless(d > 0, setting, "is %s, but must be a positive duration, such as 10s", d)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("is %q, but must be host:port, or :port for every address of this machine", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("is %q, but the port must be a number from 0 to 65535", addr)
	}
	return nil
}

// pathOf returns the path in raw, a URL of the given scheme: relative after two slashes, absolute after three. other is
// the other supported scheme, for the error.
func pathOf(raw, scheme, other string) (string, error) {
	got, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok:
		return "", fmt.Errorf("is %q, but must be a URL, such as %s://data/x with a relative path or %s:///srv/x with an absolute one",
			redact(raw), scheme, scheme)
	case got != scheme:
		return "", fmt.Errorf("has the scheme %q, which is not supported: %s:// or %s://", got, scheme, other)
	}
	if strings.ContainsAny(rest, "?#\x00") {
		return "", fmt.Errorf("is %q: the path must not have a ?, a # or a NUL", redact(raw))
	}
	name, err := url.PathUnescape(rest)
	if err != nil {
		return "", fmt.Errorf("is %q: %w", redact(raw), err)
	}
	if name == "" || strings.HasSuffix(name, "/") && scheme == "sqlite" {
		return "", fmt.Errorf("is %q: names no file", redact(raw))
	}
	return filepath.Clean(name), nil
}

// redact hides the user and password of a URL.
func redact(raw string) string {
	at := strings.LastIndex(raw, "@")
	if at < 0 {
		return raw
	}
	if i := strings.Index(raw, "://"); i >= 0 && i < at {
		return raw[:i+3] + "…" + raw[at:]
	}
	return "…" + raw[at:]
}
