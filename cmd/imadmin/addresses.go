package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

const maxBackends = 64

// addresses are the distinct URLs of backends, without a path: http://host:port.
type addresses []string

func (a *addresses) String() string { return strings.Join(*a, ",") }

// Set parses URLs that are separated by commas. Each may have a scheme, a host and
// a port, and nothing else.
func (a *addresses) Set(text string) error {
	*a = nil
	for each := range strings.SplitSeq(text, ",") {
		each = strings.TrimSpace(each)
		address, err := normal(each)
		if err != nil {
			return err
		}
		if slices.Contains(*a, address) {
			return fmt.Errorf("%s is given twice", address)
		}
		*a = append(*a, address)
	}
	if len(*a) > maxBackends {
		return fmt.Errorf("%d backends are too many: give at most %d", len(*a), maxBackends)
	}
	return nil
}

// normal returns the URL of a backend in the form in which equal ones are equal.
func normal(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "", fmt.Errorf("an address is empty: write http://host:port")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(u.Host, " %"):
		return "", fmt.Errorf("%q is not the address of a server: write http://host:port or https://host", text)
	case u.User != nil:
		return "", fmt.Errorf("%s has a username or a password: leave them out, administrators log in on the page", u.Redacted())
	case u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.ForceQuery:
		return "", fmt.Errorf("%q has more than host and port: leave out the path and the query", text)
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}
