package main

import (
	"fmt"
	"strings"

	"github.com/onemeter/onemeter/server"
)

// A setting is a flag that an environment variable, or a line of the
// configuration file, can stand for.
type setting struct {
	name, env, usage string
	value            value
}

// settings lists every setting that has a flag; what they set is in r.
func settings(r *request) []setting {
	cfg := &r.cfg
	return []setting{
		{"config", "IM_CONFIG", "YAML `file` of settings by their names here, such as max-upload: 100MiB; flags and environment beat it", (*text)(&r.file)},
		{"addr", "IM_ADDR", "`host:port` of HTTP and WebSockets", (*text)(&cfg.Addr)},
		{"metrics-addr", "IM_METRICS_ADDR", "`host:port` of /metrics, /debug/telemetry and, there only, /debug/pprof/ and /debug/build (empty: the first two on the main address)", (*text)(&cfg.MetricsAddr)},
		{"metrics-token", "IM_METRICS_TOKEN", "bearer `token` that /metrics and the pages below /debug ask for (empty: they ask for none); others see a flag in ps: use the variable or the file", (*text)(&cfg.MetricsToken)},
		{"metrics-token-file", "IM_METRICS_TOKEN_FILE", "`file` that holds this token", (*text)(&cfg.MetricsTokenFile)},
		{"db", "IM_DB", "database `URL`: sqlite://relative/path, sqlite:///absolute/path, or mysql://user:password@host:3306/name\n        after a ?: tls=true, ca=FILE, conns=32, conn-life=30m, connect-timeout=3s, timeout=10s of a statement", (*text)(&cfg.DB)},
		{"redis", "IM_REDIS", "Redis `URL` for cache and bus of several nodes: redis://user:password@host:6379/0, rediss:// with TLS, redis+sentinel:// or redis+cluster://\n        after a ?: ca=FILE, pool_size=…, dial_timeout=2s, read_timeout=1s, write_timeout=1s, pool_timeout=… (empty: one node, in process)", (*text)(&cfg.Redis)},
		{"redis-prefix", "IM_REDIS_PREFIX", "`prefix` of keys and channels in Redis; servers with another database use another one", (*text)(&cfg.RedisPrefix)},
		{"blob", "IM_BLOB", "`URL` of where uploaded files are kept: file://relative, file:///absolute, or s3://bucket/prefix?endpoint=https://host:port (credentials by the AWS_ variables)\n        after a ?: endpoint, region, path_style=true, ca=FILE, create=false, timeout=5s", (*text)(&cfg.Blob)},
		{"allowed-origins", "IM_ALLOWED_ORIGINS", "`hosts`, separated by commas, whose pages may open WebSockets (the same host always may)", (*list)(&cfg.AllowedOrigins)},
		{"trusted-proxies", "IM_TRUSTED_PROXIES", "`networks` of proxies, separated by commas, whose X-Forwarded-For is believed: 10.0.0.0/8, ::1", (*networks)(&cfg.TrustedProxies)},
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
		{"user-quota", "IM_USER_QUOTA", "`bytes` of all files of a user; 0: no limit", (*size64)(&cfg.UserQuota)},
		{"total-quota", "IM_TOTAL_QUOTA", "`bytes` of the files of all users; 0: no limit", (*size64)(&cfg.TotalQuota)},
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

// secretSettings lists the settings that have no flag: a command line is visible to
// everybody on the machine.
func secretSettings(cfg *server.Config) []setting {
	return []setting{
		{"jwt-secret", "IM_JWT_SECRET", "signs the access tokens: 32 bytes or more; unset on SQLite, one is made and kept beside the database", (*text)(&cfg.JWTSecret)},
		{"turn-secret", "IM_TURN_SECRET", "makes the credentials of --turn-addr: 32 bytes or more; unset, it is derived from the secret above", (*text)(&cfg.TURNSecret)},
		{"ice-secret", "IM_ICE_SECRET", "makes those of TURN servers in --ice-servers, as coturn has it with use-auth-secret: its static-auth-secret", (*text)(&cfg.ICESecret)},
	}
}

// describe writes the usage text.
func describe(all []setting) string {
	var b strings.Builder
	b.WriteString(`imserver is an instant-messaging server. With no settings it needs nothing
installed: it keeps everything in ./data and listens on port 8080.

Usage: imserver [--setting value]...
       imserver completion bash|fish|zsh    prints what a shell completes by
       imserver man                         prints the manual page

Each setting can be given by its environment variable instead, or by its name in
a file (--config).

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
        print the version, the commit and Go's version, and exit

Secrets have no flag, for others see those in ps. In a file they are jwt-secret,
turn-secret and ice-secret.

`)
	for _, s := range secretSettings(new(server.Config)) {
		fmt.Fprintf(&b, "  %s\n        %s\n", s.env, s.usage)
	}
	b.WriteString(`
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
