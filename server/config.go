package server

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// Config is what a server is started with. DefaultConfig has the defaults;
// Validate names everything that is wrong.
type Config struct {
	Addr        string // host:port of HTTP and WebSockets
	MetricsAddr string // host:port of /metrics and /debug/telemetry; empty: both on Addr
	DB          string // sqlite://path, or mysql://user:password@host:3306/name
	Redis       string // empty: cache and bus in process
	RedisPrefix string // of keys and channels: servers with another database use another one
	Blob        string // file://path, or s3://bucket/prefix?endpoint=…

	MetricsToken     string // bearer token that /metrics and /debug/telemetry ask for; empty: they ask for none
	MetricsTokenFile string // file that holds it, read once at the start

	JWTSecret string // signs access tokens; empty on SQLite: made once and kept beside the database

	AllowedOrigins []string // host patterns that browsers may open WebSockets from, beside the same host

	TURNAddr            string   // host:port of STUN and TURN, UDP and TCP; empty: calls get no relay of ours
	TURNPublicIP        string   // IPv4 address that the world knows it by; empty: the host of TURNAddr
	TURNRelayPorts      string   // first-last: UDP, one an allocation
	TURNAllowPrivate    bool     // relay to private networks and to this machine, too
	TURNUserAllocations int      // that a user has at a time
	TURNUserBandwidth   int64    // bytes a second relayed for a user; 0: no limit
	TURNSecret          string   // makes credentials; empty: one derived from the secret of access tokens
	ICEServers          []string // URLs of STUN and TURN servers elsewhere
	ICESecret           string   // makes credentials for those of TURN

	TrustedProxies []netip.Prefix // that are believed who their client is; none: the connection's address counts

	MessageRate      float64 // messages a second that a user may send; 0: no limit
	MessageBurst     int     // and at once
	RegistrationRate float64 // accounts a minute from one address, loopback apart; 0: no limit

	MaxContent int   // bytes of a message
	MaxFrame   int   // bytes of a WebSocket frame from a client
	MaxBody    int   // bytes of a JSON body
	MaxUpload  int64 // bytes of a file
	MaxMembers int   // of a group

	RequestTimeout  time.Duration // for a request or a frame, transfers of files apart; then it is answered 503
	TokenTTL        time.Duration // life of an access token
	SessionTTL      time.Duration // life of a login that is not refreshed
	ShutdownTimeout time.Duration // for everything from the signal to the exit
	NodeExpiry      time.Duration // a node that Redis has not heard for so long is gone; no flag: tests want it short

	CallRing time.Duration // a call that nobody answers ends after so long
	CallGone time.Duration // and one that a peer has lost his connection to

	LogLevel  slog.Level
	LogFormat string // text or json
}

// DefaultConfig needs nothing installed.
func DefaultConfig() Config {
	return Config{
		Addr:                ":8080",
		DB:                  "sqlite://data/im.db",
		RedisPrefix:         "im:",
		Blob:                "file://data/files",
		TURNRelayPorts:      "49152-65535",
		TURNUserAllocations: 32,
		TURNUserBandwidth:   2 << 20,
		MessageRate:         100,
		MessageBurst:        400,
		RegistrationRate:    20,
		MaxContent:          64 << 10,
		MaxFrame:            256 << 10,
		MaxBody:             1 << 20,
		MaxUpload:           100 << 20,
		MaxMembers:          1000,
		RequestTimeout:      2500 * time.Millisecond,
		TokenTTL:            time.Hour,
		SessionTTL:          30 * 24 * time.Hour,
		ShutdownTimeout:     10 * time.Second,
		CallRing:            45 * time.Second,
		CallGone:            10 * time.Second,
		NodeExpiry:          30 * time.Second,
		LogLevel:            slog.LevelInfo,
		LogFormat:           "text",
	}
}

// Validate returns every fault of c, joined, or nil.
func (c Config) Validate() error {
	var faults []error
	fault := func(setting string, err error) {
		faults = append(faults, named(setting, err))
	}
	fault("--addr", checkAddr(c.Addr))
	if c.MetricsAddr != "" {
		fault("--metrics-addr", checkAddr(c.MetricsAddr))
		if c.MetricsAddr == c.Addr && !strings.HasSuffix(c.Addr, ":0") {
			fault("--metrics-addr", errors.New("is the same as --addr: leave it empty to have /metrics there"))
		}
	}
	_, err := c.metricsToken()
	fault("--metrics-token", err)
	db, err := c.database()
	fault("--db", err)
	if db.MySQL != "" && c.JWTSecret == "" {
		fault("IM_JWT_SECRET", errors.New("is required with MySQL, and the same on every node: openssl rand -hex 32"))
	}
	fault("--blob", c.checkBlob())
	if c.Redis != "" {
		client, err := redisconn.Open(redisconn.Config{URL: c.Redis}) // connects to nothing
		if err == nil {
			err = client.Close()
		}
		fault("--redis", err)
		if db.MySQL == "" {
			fault("--redis", errors.New("is for several nodes, which need a database in common: --db mysql://…"))
		}
	}
	if n := len(c.JWTSecret); n > 0 && n < minSecret {
		fault("IM_JWT_SECRET", fmt.Errorf("has %d bytes, HS256 wants %d or more (RFC 7518, section 3.2): openssl rand -hex 32", n, minSecret))
	}
	faults = append(faults, c.checkCalls()...)
	if c.LogFormat != "text" && c.LogFormat != "json" {
		fault("--log-format", fmt.Errorf("is %q: text or json", c.LogFormat))
	}
	faults = append(faults, c.checkLimits()...)
	return errors.Join(faults...)
}

// named says which setting has a fault; of a URL there are several, one a line.
func named(setting string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s", setting, strings.ReplaceAll(err.Error(), "\n", "\n"+setting+": "))
}

const (
	minSecret = 32
	envelope  = 1 << 10 // bytes of JSON around a message
)

func (c Config) checkLimits() (faults []error) {
	positive := func(setting string, n int64) {
		if n <= 0 {
			faults = append(faults, fmt.Errorf("%s: is %d: a positive number", setting, n))
		}
	}
	if c.MessageRate < 0 {
		faults = append(faults, fmt.Errorf("--message-rate: is %v: 0 (no limit) or more", c.MessageRate))
	}
	if c.RegistrationRate < 0 {
		faults = append(faults, fmt.Errorf("--registration-rate: is %v: 0 (no limit) or more", c.RegistrationRate))
	}
	positive("--message-burst", int64(c.MessageBurst))
	positive("--max-content", int64(c.MaxContent))
	positive("--max-frame", int64(c.MaxFrame))
	positive("--max-body", int64(c.MaxBody))
	positive("--max-upload", c.MaxUpload)
	positive("--max-members", int64(c.MaxMembers))
	positive("--request-timeout", int64(c.RequestTimeout))
	positive("--token-ttl", int64(c.TokenTTL))
	positive("--session-ttl", int64(c.SessionTTL))
	positive("--shutdown-timeout", int64(c.ShutdownTimeout))
	positive("--call-ring", int64(c.CallRing))
	positive("--call-gone", int64(c.CallGone))
	if c.MaxContent+envelope > min(c.MaxFrame, c.MaxBody) {
		faults = append(faults, fmt.Errorf("--max-content: %d bytes and what is around them do not fit into --max-frame (%d) and --max-body (%d)",
			c.MaxContent, c.MaxFrame, c.MaxBody))
	}
	for _, pattern := range c.AllowedOrigins {
		if _, err := path.Match(pattern, ""); err != nil {
			faults = append(faults, fmt.Errorf("--allowed-origins: %q is no pattern: %w", pattern, err))
		}
	}
	return faults
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("is %q: host:port, or :port for every address of this machine", addr)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("is %q: the port is a number from 0 to 65535", addr)
	}
	return nil
}

// database says where the database is.
func (c Config) database() (sqlstore.Config, error) {
	if strings.HasPrefix(c.DB, "mysql://") {
		return sqlstore.Config{MySQL: c.DB}, sqlstore.CheckMySQL(c.DB)
	}
	file, err := pathOf(c.DB, "sqlite", "mysql")
	return sqlstore.Config{Path: file}, err
}

// onS3 tells whether files are kept on S3, and not in a folder.
func (c Config) onS3() bool { return strings.HasPrefix(c.Blob, "s3://") }

func (c Config) checkBlob() error {
	if c.onS3() {
		_, err := blob.ParseS3URL(c.Blob)
		return err
	}
	_, err := c.blobPath()
	return err
}

// blobPath returns the folder of uploaded files.
func (c Config) blobPath() (string, error) { return pathOf(c.Blob, "file", "s3") }

// pathOf returns the path in raw, a URL of the given scheme: relative after two
// slashes, absolute after three. The other scheme is for the error: what there is
// besides.
func pathOf(raw, scheme, other string) (string, error) {
	got, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok:
		return "", fmt.Errorf("is %q: a URL, such as %s://data/x for a relative path or %s:///srv/x for an absolute one", redact(raw), scheme, scheme)
	case got != scheme:
		return "", fmt.Errorf("has the scheme %q, which is not supported: %s:// or %s://", got, scheme, other)
	}
	if strings.ContainsAny(rest, "?#\x00") {
		return "", fmt.Errorf("is %q: the path holds a ?, a # or a NUL", redact(raw))
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

// redact hides what a URL may hold of a password.
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
