package sqlstore

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mysqlURL is a parsed Config.MySQL.
type mysqlURL struct {
	addr, user, password, name string

	tls            *tls.Config // nil: none
	conns          int
	connLife       time.Duration
	connectTimeout time.Duration
	timeout        time.Duration
}

// CheckMySQL validates a Config.MySQL. The error joins all faults; it never contains
// what could be a password.
func CheckMySQL(raw string) error {
	_, err := parseMySQL(raw)
	return err
}

const mysqlForm = "mysql://user:password@host:3306/name"

func parseMySQL(raw string) (*mysqlURL, error) {
	u, err := url.Parse(raw)
	if err != nil { // its text has the password
		return nil, errors.New("is not a URL such as " + mysqlForm + ": percent-encode special characters in the user and the password")
	}
	if u.Scheme != "mysql" {
		return nil, fmt.Errorf("is not a MySQL URL such as %s", mysqlForm)
	}
	if strings.Contains(u.RawQuery+u.Fragment+u.Path, "@") {
		return nil, errors.New("has an @ after the host: in a password write %23 for #, %2F for /, %3F for ? and %40 for @")
	}
	m := &mysqlURL{conns: 32, connLife: 30 * time.Minute, connectTimeout: 3 * time.Second, timeout: 10 * time.Second}
	return m, errors.Join(m.readPlace(u), m.readSettings(u))
}

// readPlace reads the part before the question mark.
func (m *mysqlURL) readPlace(u *url.URL) error {
	var faults []error
	fault := func(text string) { faults = append(faults, errors.New(text)) }
	m.user = u.User.Username()
	m.password, _ = u.User.Password()
	if m.user == "" {
		fault("has no user: want " + mysqlForm)
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		fault("has no host: want " + mysqlForm)
	}
	if port == "" {
		port = "3306"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		fault(fmt.Sprintf("invalid port %q: use 1 to 65535", port))
	}
	m.addr = net.JoinHostPort(host, port)
	m.name = strings.TrimPrefix(u.Path, "/")
	if m.name == "" {
		fault("has no database: want " + mysqlForm)
	}
	if strings.Contains(m.name, "/") {
		fault("has a database name with a /: use a name without")
	}
	if u.Fragment != "" {
		fault("has a #: percent-encode it as %23")
	}
	return errors.Join(faults...)
}

// readSettings reads the part after the question mark.
func (m *mysqlURL) readSettings(u *url.URL) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("has invalid percent-encoding after the question mark: write %25 for %")
	}
	var faults []error
	var useTLS, ca string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list := values[name]
		value, err := list[0], error(nil)
		switch name {
		case "tls":
			useTLS, err = value, checkTLS(value)
		case "ca":
			ca = value
		case "conns":
			if m.conns, err = strconv.Atoi(value); err != nil || m.conns < minConns {
				err = fmt.Errorf("is %q: want a number of connections, at least %d", value, minConns)
			}
		case "conn-life":
			m.connLife, err = positive(value)
		case "connect-timeout":
			m.connectTimeout, err = positive(value)
		case "timeout":
			m.timeout, err = positive(value)
		default:
			err = errors.New("unknown setting: use tls, ca, conns, conn-life, connect-timeout or timeout")
		}
		if err == nil && len(list) > 1 {
			err = errors.New("is set twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	if useTLS == "false" && ca != "" {
		faults = append(faults, errors.New("ca: has no effect with tls=false: leave one of them out"))
	}
	if useTLS == "true" || ca != "" {
		m.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != "" {
			faults = append(faults, m.trust(ca))
		}
	}
	return errors.Join(faults...)
}

// minConns is 2, so that a read need not wait for a transaction.
const minConns = 2

func checkTLS(value string) error {
	switch value {
	case "true", "false":
		return nil
	case "skip-verify", "preferred":
		return fmt.Errorf("is %q, which lets others on the network read and change everything: "+
			"use true, with ca=FILE for a certificate authority of your own", value)
	}
	return fmt.Errorf("is %q: want true or false", value)
}

func positive(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Millisecond {
		return d, fmt.Errorf("is %q: want a time such as 10s", value)
	}
	return d, nil
}

// trust makes the authorities in file the only trusted ones.
func (m *mysqlURL) trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	m.tls.RootCAs = x509.NewCertPool()
	if !m.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca: %s has no certificate in PEM format", file)
	}
	return nil
}
