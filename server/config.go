package server

import (
	"errors"
	"log/slog"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// Config configures a Server. DefaultConfig returns the defaults, and Validate checks all fields.
type Config struct {
	Addr        string // host:port for HTTP and WebSockets
	MetricsAddr string // host:port for /metrics and /debug/; empty: /metrics and /debug/telemetry are on Addr
	DB          string // sqlite://path, or mysql://user:password@host:3306/name
	Redis       string // empty: cache and bus in process
	RedisPrefix string // of keys and channels; servers with different databases need different prefixes
	Blob        string // file://path, or s3://bucket/prefix?endpoint=…

	MetricsToken     string // bearer token that /metrics and /debug/ require; empty: none
	MetricsTokenFile string // file with this token, which is read once at the start
	Console          bool   // serve the admin console at /admin/

	JWTSecret string // signs access tokens; empty with SQLite: generated, and kept beside the database

	RequireTwoFactor string // off, admins or all: who must use two-factor login

	AllowedOrigins []string // host patterns whose pages may open WebSockets, besides those of the same host

	TURNAddr            string   // host:port for STUN and TURN, UDP and TCP; empty: no relay
	TURNPublicIP        string   // public IPv4 address of TURNAddr; empty: its host
	TURNRelayPorts      string   // first-last: UDP ports, one for each allocation
	TURNAllowPrivate    bool     // also relay to private networks and to this machine
	TURNUserAllocations int      // that a user may have at a time
	TURNUserBandwidth   int64    // bytes a second to relay for a user; 0: no limit
	TURNSecret          string   // makes credentials; empty: derived from JWTSecret
	ICEServers          []string // URLs of other STUN and TURN servers
	ICESecret           string   // makes the credentials for the TURN servers in ICEServers

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is trusted; none: the connection's address is the client's

	MessageRate      float64 // messages a second that a user may send; 0: no limit
	MessageBurst     int     // messages that a user may send at once
	RegistrationRate float64 // accounts a minute from one address, except loopback; 0: no limit

	Contacts        bool // users who have not chosen accept messages, groups and calls from contacts only
	ModerationReads bool // moderators may read other people's messages

	MaxContent int   // bytes of a message
	MaxFrame   int   // bytes of a WebSocket frame from a client
	MaxBody    int   // bytes of a JSON body
	MaxUpload  int64 // bytes of a file
	UserQuota  int64 // bytes of a user's files; 0: no limit
	TotalQuota int64 // bytes of all files; 0: no limit
	MaxMembers int   // of a group

	RequestTimeout  time.Duration // of a request or a frame, except file transfers; after it, the answer is 503
	TokenTTL        time.Duration // lifetime of an access token
	SessionTTL      time.Duration // lifetime of a session that is not refreshed
	ShutdownTimeout time.Duration // from the signal to the exit
	NodeExpiry      time.Duration // after which a node that Redis has not heard from is gone; has no flag, for tests

	CallRing time.Duration // after which an unanswered call ends
	CallGone time.Duration // after which a call ends if a peer has lost the connection

	LogLevel  slog.Level
	LogFormat string // text or json
}

// DefaultConfig returns the defaults. With them, the server needs nothing installed.
func DefaultConfig() Config {
	return Config{
		Addr:                ":8080",
		DB:                  "sqlite://data/im.db",
		RedisPrefix:         "im:",
		Console:             true,
		Blob:                "file://data/files",
		RequireTwoFactor:    string(chat.TwoFactorOff),
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
		UserQuota:           10 << 30,
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

// Validate returns every fault of c, joined, or nil. Each names its setting.
func (c Config) Validate() error {
	var f faults
	f.add("--addr", checkAddr(c.Addr))
	c.checkPages(&f)
	c.checkStore(&f)
	f.add("--blob", c.checkBlob())
	c.checkBus(&f)
	c.checkCalls(&f)
	c.checkLimits(&f)
	f.unless(slices.Contains([]string{"off", "admins", "all"}, c.RequireTwoFactor), "--require-2fa", "is %q, but must be off, admins or all", c.RequireTwoFactor)
	f.unless(c.LogFormat == "text" || c.LogFormat == "json", "--log-format", "is %q, but must be text or json", c.LogFormat)
	return errors.Join(f...)
}

func (c Config) checkLimits(f *faults) {
	f.unless(c.MessageRate >= 0, "--message-rate", "is %v, but must be 0 (no limit) or more", c.MessageRate)
	f.unless(c.RegistrationRate >= 0, "--registration-rate", "is %v, but must be 0 (no limit) or more", c.RegistrationRate)
	f.positive("--message-burst", int64(c.MessageBurst))
	f.positive("--max-content", int64(c.MaxContent))
	f.positive("--max-frame", int64(c.MaxFrame))
	f.positive("--max-body", int64(c.MaxBody))
	f.positive("--max-upload", c.MaxUpload)
	f.unless(c.UserQuota >= 0, "--user-quota", "is %d, but must be 0 (no limit) or more", c.UserQuota)
	f.unless(c.TotalQuota >= 0, "--total-quota", "is %d, but must be 0 (no limit) or more", c.TotalQuota)
	f.positive("--max-members", int64(c.MaxMembers))
	f.unless(c.MaxMembers <= mostMembers, "--max-members", "is %d, but must be at most %d", c.MaxMembers, mostMembers)
	f.positiveTime("--request-timeout", c.RequestTimeout)
	f.positiveTime("--token-ttl", c.TokenTTL)
	f.positiveTime("--session-ttl", c.SessionTTL)
	f.unless(c.SessionTTL <= 0 || c.SessionTTL >= c.TokenTTL, "--session-ttl", "is %s, but must be at least --token-ttl, which is %s", c.SessionTTL, c.TokenTTL)
	f.positiveTime("--shutdown-timeout", c.ShutdownTimeout)
	f.positiveTime("--call-ring", c.CallRing)
	f.positiveTime("--call-gone", c.CallGone)
	f.unless(c.MaxContent+envelope <= min(c.MaxFrame, c.MaxBody), "--max-content",
		"%d bytes, and %d for the JSON around them, do not fit into --max-frame (%d) and --max-body (%d)",
		c.MaxContent, envelope, c.MaxFrame, c.MaxBody)
	f.unless(c.MaxContent <= maxColumn || !strings.HasPrefix(c.DB, "mysql://"), "--max-content",
		"%d bytes do not fit into a column of MySQL, which has %d", c.MaxContent, maxColumn)
	for _, pattern := range c.AllowedOrigins {
		_, err := path.Match(pattern, "")
		f.unless(err == nil, "--allowed-origins", "%q is not a valid pattern: %v", pattern, err)
		host := pattern
		if _, rest, ok := strings.Cut(pattern, "://"); ok {
			host = rest
		}
		f.unless(!strings.ContainsAny(host, "/?#"), "--allowed-origins",
			"%q has a path, but must be a host or an origin, such as chat.example.com or https://chat.example.com:8443", pattern)
	}
}

const (
	envelope    = 1 << 10   // bytes of JSON around a message
	mostMembers = 100_000   // that --max-members may allow: an event of a group goes to each of them
	maxColumn   = 1<<24 - 1 // bytes of MySQL's MEDIUMTEXT, the type of a message's content
)
