package main

import (
	"encoding"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// value parses a setting's text into the configuration.
type value interface {
	String() string
	Set(string) error
}

type (
	text     string
	list     []string
	boolean  bool
	networks []netip.Prefix
	integer  int
	float    float64
	size     int
	size64   int64
	duration time.Duration
)

func (t *text) String() string     { return string(*t) }
func (t *text) Set(s string) error { *t = text(s); return nil }

func (l *list) String() string { return strings.Join(*l, ",") }
func (l *list) Set(s string) error {
	*l = nil
	for _, item := range strings.Split(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

func (b *boolean) String() string { return strconv.FormatBool(bool(*b)) }
func (b *boolean) Set(s string) error {
	v, err := strconv.ParseBool(s)
	if err != nil {
		return fmt.Errorf("is %q: want true or false", s)
	}
	*b = boolean(v)
	return nil
}

func (n *networks) String() string {
	var texts []string
	for _, p := range *n {
		texts = append(texts, p.String())
	}
	return strings.Join(texts, ",")
}

func (n *networks) Set(s string) error {
	*n = nil
	var items list
	if err := items.Set(s); err != nil {
		return err
	}
	for _, item := range items {
		p, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("is %q: want networks such as 10.0.0.0/8, or addresses", s)
		}
		*n = append(*n, p)
	}
	return nil
}

func (i *integer) String() string { return strconv.Itoa(int(*i)) }
func (i *integer) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("is %q: want a whole number", s)
	}
	*i = integer(n)
	return nil
}

func (f *float) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }
func (f *float) Set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n != n || n > 1e12 {
		return fmt.Errorf("is %q: want a number", s)
	}
	*f = float(n)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Set(s string) error {
	n, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("is %q: want a duration such as 90s, 15m or 24h", s)
	}
	*d = duration(n)
	return nil
}

func (n *size) String() string { return formatSize(int64(*n)) }
func (n *size) Set(s string) error {
	v, err := parseSize(s, 1<<30)
	if err == nil {
		*n = size(v)
	}
	return err
}

func (n *size64) String() string { return formatSize(int64(*n)) }
func (n *size64) Set(s string) error {
	v, err := parseSize(s, 1<<50)
	if err == nil {
		*n = size64(v)
	}
	return err
}

var units = []struct {
	name  string
	bytes int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

func formatSize(n int64) string {
	for _, u := range units {
		if n >= u.bytes && n%u.bytes == 0 {
			return strconv.FormatInt(n/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// parseSize parses a size of at most most bytes.
func parseSize(s string, most int64) (int64, error) {
	number, factor := s, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, factor = n, u.bytes
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange) && n > 0 || n > most/factor:
		return 0, fmt.Errorf("is %q, which is too large: want at most %s", s, formatSize(most))
	case err != nil || n < 0:
		return 0, fmt.Errorf("is %q: want a number of bytes, KiB, MiB or GiB, such as 65536 or 64KiB, and at most %s", s, formatSize(most))
	}
	return n * factor, nil
}

// textValue is a setting that parses its own text, such as a log level.
type textValue struct {
	v interface {
		encoding.TextUnmarshaler
		fmt.Stringer
	}
}

func (t textValue) String() string { return strings.ToLower(t.v.String()) }
func (t textValue) Set(s string) error {
	if err := t.v.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("is %q: want debug, info, warn or error", s)
	}
	return nil
}
