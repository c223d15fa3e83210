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

// mysqlURL is what Config.MySQL says.
type mysqlURL struct {
	addr, user, password, name string

	tls            *tls.Config // nil: none
	conns          int
	connLife       time.Duration
	connectTimeout time.Duration
	timeout        time.Duration
}

// CheckMySQL returns every fault of a Config.MySQL, joined, or nil. It names
// the parts at fault, and never what could be a password.
func CheckMySQL(raw string) error {
	_, err := parseMySQL(raw)
	return err
}

const mysqlForm = "mysql://user:password@host:3306/name"

func parseMySQL(raw string) (*mysqlURL, error) {
	u, err := url.Parse(raw)
	if err != nil { // its words hold the password
		return nil, errors.New("is no URL, such as " + mysqlForm + ": percent-encode what is special in the name and the password")
	}
	if u.Scheme != "mysql" {
		return nil, fmt.Errorf("is no MySQL URL, such as %s", mysqlForm)
	}
	if strings.Contains(u.RawQuery+u.Fragment+u.Path, "@") {
		return nil, errors.New("has an @ behind the host: in a password write %23 for #, %2F for /, %3F for ? and %40 for @")
	}
	m := &mysqlURL{conns: 32, connLife: 30 * time.Minute, connectTimeout: 3 * time.Second, timeout: 10 * time.Second}
	return m, errors.Join(m.readPlace(u), m.readSettings(u))
}

// readPlace reads what stands before the question mark.
func (m *mysqlURL) readPlace(u *url.URL) error {
	var faults []error
	fault := func(text string) { faults = append(faults, errors.New(text)) }
	m.user = u.User.Username()
	m.password, _ = u.User.Password()
	if m.user == "" {
		fault("names no user: " + mysqlForm)
	}
	host, port := u.Hostname(), u.Port()
	if host == "" {
		fault("names no host: " + mysqlForm)
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
		fault("names no database: " + mysqlForm)
	}
	if strings.Contains(m.name, "/") {
		fault("names a database with a / in it")
	}
	if u.Fragment != "" {
		fault("has a #: percent-encode it as %23")
	}
	return errors.Join(faults...)
}

// readSettings reads what stands after the question mark.
func (m *mysqlURL) readSettings(u *url.URL) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("has settings that are not percent-encoded rightly")
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
				err = fmt.Errorf("is %q: a number of connections, %d or more", value, minConns)
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
		faults = append(faults, errors.New("ca: is of no use with tls=false"))
	}
	if useTLS == "true" || ca != "" {
		m.tls = &tls.Config{MinVersion: tls.VersionTLS12}
		if ca != "" {
			faults = append(faults, m.trust(ca))
		}
	}
	return errors.Join(faults...)
}

// minConns lets a transaction run beside a read.
const minConns = 2

func checkTLS(value string) error {
	switch value {
	case "true", "false":
		return nil
	case "skip-verify", "preferred":
		return fmt.Errorf("is %q, by which anybody on the way could read and change everything: "+
			"true, and ca=FILE where the authority is one of your own", value)
	}
	return fmt.Errorf("is %q: true or false", value)
}

func positive(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d < time.Millisecond {
		return d, fmt.Errorf("is %q: a time, such as 10s", value)
	}
	return d, nil
}

// trust believes the authorities in file, and no others.
func (m *mysqlURL) trust(file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	m.tls.RootCAs = x509.NewCertPool()
	if !m.tls.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("ca: %s holds no certificate in PEM", file)
	}
	return nil
}
