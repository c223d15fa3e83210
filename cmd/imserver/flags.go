package main

import (
	"encoding"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server"
)

// A setting is a flag that an environment variable can stand for.
type setting struct {
	name, env, usage string
	value            value
}

// value reads a setting's text into the configuration.
type value interface {
	String() string
	Set(string) error
}

// settings lists every setting; what they set is in cfg.
func settings(cfg *server.Config) []setting {
	return []setting{
		{"addr", "IM_ADDR", "`host:port` of HTTP and WebSockets", (*text)(&cfg.Addr)},
		{"metrics-addr", "IM_METRICS_ADDR", "`host:port` of /metrics and /debug/telemetry (empty: on the main address)", (*text)(&cfg.MetricsAddr)},
		{"metrics-token", "IM_METRICS_TOKEN", "bearer `token` that /metrics and /debug/telemetry ask for (empty: they ask for none); others see a flag in ps: use the variable or the file", (*text)(&cfg.MetricsToken)},
		{"metrics-token-file", "IM_METRICS_TOKEN_FILE", "`file` that holds this token", (*text)(&cfg.MetricsTokenFile)},
		{"db", "IM_DB", "database `URL`: sqlite://relative/path, sqlite:///absolute/path, or mysql://user:password@host:3306/name\n        after a ?: tls=true, ca=FILE, conns=32, conn-life=30m, connect-timeout=3s, timeout=10s of a statement", (*text)(&cfg.DB)},
		{"redis", "IM_REDIS", "Redis `URL` for cache and bus of several nodes: redis://user:password@host:6379/0, rediss:// with TLS, redis+sentinel:// or redis+cluster://\n        after a ?: ca=FILE, pool_size=…, dial_timeout=2s, read_timeout=1s, write_timeout=1s, pool_timeout=… (empty: one node, in process)", (*text)(&cfg.Redis)},
		{"redis-prefix", "IM_REDIS_PREFIX", "`prefix` of keys and channels in Redis; servers with another database use another one", (*text)(&cfg.RedisPrefix)},
		{"blob", "IM_BLOB", "`URL` of where uploaded files are kept: file://relative, file:///absolute, or s3://bucket/prefix?endpoint=https://host:port (credentials by the AWS_ variables)\n        after a ?: endpoint, region, path_style=true, ca=FILE, create=false, timeout=5s", (*text)(&cfg.Blob)},
		{"allowed-origins", "IM_ALLOWED_ORIGINS", "`hosts`, separated by commas, whose pages may open WebSockets (the same host always may)", (*list)(&cfg.AllowedOrigins)},
		{"trusted-proxies", "IM_TRUSTED_PROXIES", "`networks`, separated by commas, whose X-Forwarded-For is believed: 10.0.0.0/8, ::1", (*networks)(&cfg.TrustedProxies)},
		{"turn-addr", "IM_TURN_ADDR", "`host:port` of STUN and TURN for calls, over UDP and TCP: :3478 (empty: none)", (*text)(&cfg.TURNAddr)},
		{"turn-public-ip", "IM_TURN_PUBLIC_IP", "IPv4 `address` that clients and their peers know --turn-addr by (empty: its host, if that is an address)", (*text)(&cfg.TURNPublicIP)},
		{"turn-relay-ports", "IM_TURN_RELAY_PORTS", "UDP `ports` of relays, one an allocation; open them in the firewall", (*text)(&cfg.TURNRelayPorts)},
		{"turn-allow-private", "IM_TURN_ALLOW_PRIVATE", "relay to private networks and to this machine, too: where all clients are in one network, and in tests", (*boolean)(&cfg.TURNAllowPrivate)},
		{"turn-user-allocations", "IM_TURN_USER_ALLOCATIONS", "`allocations` that a user has at a time (a call takes several: one for each network, and each way to the server)", (*integer)(&cfg.TURNUserAllocations)},
		{"turn-user-bandwidth", "IM_TURN_USER_BANDWIDTH", "`bytes` a second that are relayed for a user, both ways together; what is above it is dropped (0: no limit)", (*size64)(&cfg.TURNUserBandwidth)},
		{"ice-servers", "IM_ICE_SERVERS", "`URLs`, separated by commas, of STUN and TURN servers elsewhere: stun:host:3478, turn:host:3478?transport=udp, turns:host:5349", (*list)(&cfg.ICEServers)},
		{"message-rate", "IM_MESSAGE_RATE", "`messages` a second that a user may send (0: no limit)", (*float)(&cfg.MessageRate)},
		{"message-burst", "IM_MESSAGE_BURST", "`messages` that a user may send at once", (*integer)(&cfg.MessageBurst)},
		{"registration-rate", "IM_REGISTRATION_RATE", "`accounts` a minute from one address, loopback apart (0: no limit)", (*float)(&cfg.RegistrationRate)},
		{"max-content", "IM_MAX_CONTENT", "`bytes` of a message; KiB, MiB and GiB are understood", (*size)(&cfg.MaxContent)},
		{"max-frame", "IM_MAX_FRAME", "`bytes` of a WebSocket frame from a client", (*size)(&cfg.MaxFrame)},
		{"max-body", "IM_MAX_BODY", "`bytes` of a JSON body", (*size)(&cfg.MaxBody)},
		{"max-upload", "IM_MAX_UPLOAD", "`bytes` of a file", (*size64)(&cfg.MaxUpload)},
		{"max-members", "IM_MAX_MEMBERS", "`members` of a group", (*integer)(&cfg.MaxMembers)},
		{"request-timeout", "IM_REQUEST_TIMEOUT", "`time` for a request or a frame, transfers of files apart; then it is answered 503", (*duration)(&cfg.RequestTimeout)},
		{"token-ttl", "IM_TOKEN_TTL", "`life` of an access token", (*duration)(&cfg.TokenTTL)},
		{"session-ttl", "IM_SESSION_TTL", "`life` of a login that is not refreshed", (*duration)(&cfg.SessionTTL)},
		{"call-ring", "IM_CALL_RING", "`time` after which a call that nobody answers ends", (*duration)(&cfg.CallRing)},
		{"call-gone", "IM_CALL_GONE", "`time` after which a call ends that a peer has lost his connection to", (*duration)(&cfg.CallGone)},
		{"shutdown-timeout", "IM_SHUTDOWN_TIMEOUT", "`time` from the signal to the exit, for draining connections and flushing telemetry", (*duration)(&cfg.ShutdownTimeout)},
		{"log-level", "IM_LOG_LEVEL", "`level`: debug, info, warn or error", textValue{&cfg.LogLevel}},
		{"log-format", "IM_LOG_FORMAT", "`format`: text or json", (*text)(&cfg.LogFormat)},
	}
}

// errHelp is the answer to --help: usage was printed, nothing is wrong.
var errHelp = flag.ErrHelp

// A command is what imserver is asked to do.
type command int

const (
	runServer command = iota
	printVersion
	checkHealth
)

// parse reads the command line and the environment; a flag beats its variable.
// Its error names every fault.
func parse(args []string, getenv func(string) string, usage io.Writer) (server.Config, command, error) {
	cfg := server.DefaultConfig()
	all := settings(&cfg)
	var faults []error
	set := func(from string, v value, s string) {
		if err := v.Set(s); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", from, err))
		}
	}

	flags := flag.NewFlagSet("imserver", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version, healthcheck := flags.Bool("version", false, ""), flags.Bool("healthcheck", false, "")
	given := make(map[string]bool)
	for _, s := range all {
		take := func(v string) error {
			given[s.name] = true
			set(s.name, s.value, v)
			return nil
		}
		if _, ok := s.value.(*boolean); ok {
			flags.BoolFunc(s.name, s.usage, take) // needs no value
		} else {
			flags.Func(s.name, s.usage, take)
		}
	}
	defaults := describe(all) // before anything is set
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(usage, defaults)
		return cfg, runServer, errHelp
	case err != nil:
		return cfg, runServer, fmt.Errorf("%w (imserver --help lists the settings)", err)
	}
	if flags.NArg() > 0 {
		faults = append(faults, fmt.Errorf("unknown argument %q: settings begin with --", flags.Arg(0)))
	}
	for _, s := range all {
		if v := getenv(s.env); v != "" && !given[s.name] {
			set(s.env, s.value, v)
		}
	}
	cfg.JWTSecret, cfg.TURNSecret, cfg.ICESecret = getenv("IM_JWT_SECRET"), getenv("IM_TURN_SECRET"), getenv("IM_ICE_SECRET")
	switch {
	case *version:
		return cfg, printVersion, nil
	case *healthcheck: // of a server that was started with the rest of its settings elsewhere
		return cfg, checkHealth, errors.Join(faults...)
	}
	return cfg, runServer, errors.Join(append(faults, cfg.Validate())...)
}

// secretVariables are settings that only the environment gives: a command line is
// visible to everybody on the machine.
var secretVariables = []string{"IM_JWT_SECRET", "IM_TURN_SECRET", "IM_ICE_SECRET"}

// unknown lists the variables of an environment that look like settings and are
// none: mistyped ones, most likely.
func unknown(environ []string) (names []string) {
	var cfg server.Config
	known := slices.Clone(secretVariables)
	for _, s := range settings(&cfg) {
		known = append(known, s.env)
	}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "IM_") && !strings.HasPrefix(name, "IM_TEST_") && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}

// describe writes the usage text.
func describe(all []setting) string {
	var b strings.Builder
	b.WriteString(`imserver is an instant-messaging server. With no settings it needs nothing
installed: it keeps everything in ./data and listens on port 8080.

Usage: imserver [--setting value]...

Each setting can be given by its environment variable instead.

`)
	for _, s := range all {
		arg, usage := unquote(s.usage)
		fmt.Fprintf(&b, "  --%s %s   (%s)\n        %s", s.name, arg, s.env, usage)
		if d := s.value.String(); d != "" {
			fmt.Fprintf(&b, "; default %s", d)
		}
		b.WriteString("\n")
	}
	b.WriteString(`  --healthcheck
        ask the server that runs at --addr whether it is alive, and exit with 0 or 1
  --version
        print the version and exit

IM_JWT_SECRET (environment only) signs the access tokens: 32 bytes or more.
        Unset on SQLite, one is made and kept beside the database.
IM_TURN_SECRET (environment only) makes the credentials of --turn-addr: 32
        bytes or more. Unset, it is derived from the secret above.
IM_ICE_SECRET (environment only) makes those of TURN servers in --ice-servers, as
        coturn has it with use-auth-secret: its static-auth-secret.
OTEL_METRICS_EXPORTER=otlp and OTEL_TRACES_EXPORTER=otlp push beside /metrics, by
        OTEL_EXPORTER_OTLP_ENDPOINT and OpenTelemetry's other variables.
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and OTEL_SDK_DISABLED are honoured.
`)
	return b.String()
}

// unquote takes the name of a setting's argument out of its usage.
func unquote(usage string) (arg, text string) {
	before, rest, _ := strings.Cut(usage, "`")
	arg, after, _ := strings.Cut(rest, "`")
	return strings.ToUpper(arg), before + arg + after
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
		return fmt.Errorf("is %q: true or false", s)
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
			return fmt.Errorf("is %q: networks such as 10.0.0.0/8, or addresses", s)
		}
		*n = append(*n, p)
	}
	return nil
}

func (i *integer) String() string { return strconv.Itoa(int(*i)) }
func (i *integer) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil {
		return fmt.Errorf("is %q: a whole number", s)
	}
	*i = integer(n)
	return nil
}

func (f *float) String() string { return strconv.FormatFloat(float64(*f), 'g', -1, 64) }
func (f *float) Set(s string) error {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || n != n || n > 1e12 {
		return fmt.Errorf("is %q: a number", s)
	}
	*f = float(n)
	return nil
}

func (d *duration) String() string { return time.Duration(*d).String() }
func (d *duration) Set(s string) error {
	n, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("is %q: a duration such as 90s, 15m or 24h", s)
	}
	*d = duration(n)
	return nil
}

func (n *size) String() string { return formatSize(int64(*n)) }
func (n *size) Set(s string) error {
	v, err := parseSize(s)
	if err == nil && v > 1<<30 {
		err = fmt.Errorf("is %q: at most 1GiB", s)
	}
	if err == nil {
		*n = size(v)
	}
	return err
}

func (n *size64) String() string { return formatSize(int64(*n)) }
func (n *size64) Set(s string) error {
	v, err := parseSize(s)
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

func parseSize(s string) (int64, error) {
	number, factor := s, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(s, u.name); ok {
			number, factor = n, u.bytes
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > (1<<50)/factor {
		return 0, fmt.Errorf("is %q: a number of bytes, such as 65536 or 64KiB", s)
	}
	return n * factor, nil
}

// textValue is a setting that reads its own text, such as a log level.
type textValue struct {
	v interface {
		encoding.TextUnmarshaler
		fmt.Stringer
	}
}

func (t textValue) String() string { return strings.ToLower(t.v.String()) }
func (t textValue) Set(s string) error {
	if err := t.v.UnmarshalText([]byte(s)); err != nil {
		return fmt.Errorf("is %q: debug, info, warn or error", s)
	}
	return nil
}
