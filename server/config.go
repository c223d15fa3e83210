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
	Console          bool   // the admin console is at /admin/

	JWTSecret string // signs access tokens; empty on SQLite: made once and kept beside the database

	RequireTwoFactor string // off, admins or all: of whom two-factor login is wanted

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

	Contacts        bool // users who never chose take messages, groups and calls of contacts only
	ModerationReads bool // moderators may read other people's messages

	MaxContent int   // bytes of a message
	MaxFrame   int   // bytes of a WebSocket frame from a client
	MaxBody    int   // bytes of a JSON body
	MaxUpload  int64 // bytes of a file
	UserQuota  int64 // bytes of a user's files; 0: no limit
	TotalQuota int64 // bytes of all files; 0: no limit
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

// Validate returns every fault of c, joined, or nil.
func (c Config) Validate() error {
	var f faults
	f.add("--addr", checkAddr(c.Addr))
	c.checkPages(&f)
	c.checkStore(&f)
	f.add("--blob", c.checkBlob())
	c.checkBus(&f)
	c.checkCalls(&f)
	c.checkLimits(&f)
	f.unless(slices.Contains([]string{"off", "admins", "all"}, c.RequireTwoFactor), "--require-2fa", "is %q: off, admins or all", c.RequireTwoFactor)
	f.unless(c.LogFormat == "text" || c.LogFormat == "json", "--log-format", "is %q: text or json", c.LogFormat)
	return errors.Join(f...)
}

func (c Config) checkLimits(f *faults) {
	f.unless(c.MessageRate >= 0, "--message-rate", "is %v: 0 (no limit) or more", c.MessageRate)
	f.unless(c.RegistrationRate >= 0, "--registration-rate", "is %v: 0 (no limit) or more", c.RegistrationRate)
	f.positive("--message-burst", int64(c.MessageBurst))
	f.positive("--max-content", int64(c.MaxContent))
	f.positive("--max-frame", int64(c.MaxFrame))
	f.positive("--max-body", int64(c.MaxBody))
	f.positive("--max-upload", c.MaxUpload)
	f.unless(c.UserQuota >= 0, "--user-quota", "is %d: 0 (no limit) or more", c.UserQuota)
	f.unless(c.TotalQuota >= 0, "--total-quota", "is %d: 0 (no limit) or more", c.TotalQuota)
	f.positive("--max-members", int64(c.MaxMembers))
	f.positive("--request-timeout", int64(c.RequestTimeout))
	f.positive("--token-ttl", int64(c.TokenTTL))
	f.positive("--session-ttl", int64(c.SessionTTL))
	f.positive("--shutdown-timeout", int64(c.ShutdownTimeout))
	f.positive("--call-ring", int64(c.CallRing))
	f.positive("--call-gone", int64(c.CallGone))
	f.unless(c.MaxContent+envelope <= min(c.MaxFrame, c.MaxBody), "--max-content",
		"%d bytes and what is around them do not fit into --max-frame (%d) and --max-body (%d)", c.MaxContent, c.MaxFrame, c.MaxBody)
	f.unless(c.MaxContent <= maxColumn || !strings.HasPrefix(c.DB, "mysql://"), "--max-content",
		"%d bytes do not fit into a column of MySQL, which has %d", c.MaxContent, maxColumn)
	for _, pattern := range c.AllowedOrigins {
		_, err := path.Match(pattern, "")
		f.unless(err == nil, "--allowed-origins", "%q is no pattern: %v", pattern, err)
	}
}

const (
	envelope  = 1 << 10   // bytes of JSON around a message
	maxColumn = 1<<24 - 1 // bytes of MySQL's MEDIUMTEXT, where messages are kept
)
