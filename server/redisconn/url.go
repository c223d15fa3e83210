package redisconn

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// A shape is the topology of the servers in a URL.
type shape int

const (
	single shape = iota
	sentinel
	cluster
)

var shapes = map[string]struct {
	shape
	library string // the Redis library's scheme
}{
	"redis": {single, "redis"}, "rediss": {single, "rediss"}, "unix": {single, "unix"},
	"redis+sentinel": {sentinel, "redis"}, "rediss+sentinel": {sentinel, "rediss"},
	"redis+cluster": {cluster, "redis"}, "rediss+cluster": {cluster, "rediss"},
}

const example = "redis://user:password@host:6379/0, with TLS rediss://, " +
	"redis+sentinel://host:26379/0?master_name=… or redis+cluster://host:6379?addr=other:6379"

// parse checks a URL and returns it in the form of the Redis library, which does not know the option ca. Its errors
// hold no part of a password, even if the password is what is wrong with the URL.
func parse(raw string) (kind shape, library, ca string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		// The parser's error may quote the password.
		return 0, "", "", errors.New("is not a valid URL: in a password write %23 for #, %2F for /, %3A for :, %3F for ?, %40 for @ and %25 for %; " +
			"the port must be a number; want " + example)
	}
	known, ok := shapes[u.Scheme]
	if !ok {
		return 0, "", "", fmt.Errorf("has the scheme %q: want %s", u.Scheme, example)
	}
	if strings.Contains(u.RawQuery+u.Fragment+u.Path, "@") {
		return 0, "", "", errors.New("has an @ after the host: in a password write %23 for #, %2F for /, %3F for ? and %40 for @")
	}
	if err := faults(u, known.shape); err != nil {
		return 0, "", "", err
	}
	u.Scheme = known.library
	if options := u.Query(); options.Has("ca") {
		ca = options.Get("ca")
		options.Del("ca")
		u.RawQuery = options.Encode()
	}
	return known.shape, u.String(), ca, nil
}

// faults returns every fault of a URL that can be parsed.
func faults(u *url.URL, s shape) error {
	var all []error
	fault := func(is bool, why string) {
		if is {
			all = append(all, errors.New(why))
		}
	}
	path := strings.Trim(u.Path, "/")
	fault(u.Scheme != "unix" && u.Hostname() == "", "has no host: want "+example)
	fault(u.Scheme == "unix" && path == "", "has no socket: want unix:///run/redis.sock?db=0")
	fault(u.Scheme != "unix" && s != cluster && !isNumber(path), "has the database "+quoted(path)+": want a number, such as 0")
	fault(s == cluster && path != "" && path != "0", "has the database "+quoted(path)+": leave it out, because a cluster has only one")
	fault(s == sentinel && u.Query().Get("master_name") == "", "has no master_name: add ?master_name= with the name of the master in the sentinels' configuration")
	fault(s != sentinel && u.Query().Has("master_name"), "has a master_name, which is only for sentinels: use redis+sentinel:// or leave it out")
	fault(u.Query().Has("ca") && u.Query().Get("ca") == "", "ca: is empty: want a PEM file of certificates")
	fault(u.Fragment != "", "has a #: write %23")
	return errors.Join(all...)
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// Show returns a URL for logs: without user, password and options.
func Show(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || strings.Contains(u.RawQuery+u.Fragment+u.Path, "@") {
		return "…"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
