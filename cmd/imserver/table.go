package main

import (
	"fmt"
	"strings"

	"github.com/onemeter/onemeter/server"
)

// A setting is a flag with an environment variable and a key of the configuration file.
type setting struct {
	name, env, usage string
	value            value
}

// settings returns every setting that has a flag. They set fields of r.
func settings(r *request) []setting {
	cfg := &r.cfg
	return []setting{
		{"config", "IM_CONFIG", "YAML `file` with settings by these names, such as max-upload: 100MiB; flags and environment variables win over it", (*text)(&r.file)},
		{"addr", "IM_ADDR", "`host:port` to listen on, for HTTP and WebSockets", (*text)(&cfg.Addr)},
		{"metrics-addr", "IM_METRICS_ADDR", "`host:port` for /metrics, /debug/telemetry, /debug/pprof/ and /debug/build (empty: only the first two, on the main address)", (*text)(&cfg.MetricsAddr)},
		{"metrics-token", "IM_METRICS_TOKEN", "bearer `token` that /metrics and /debug/ require (empty: none); other users see flags in ps, so use the variable or the file", (*text)(&cfg.MetricsToken)},
		{"metrics-token-file", "IM_METRICS_TOKEN_FILE", "`file` with this token", (*text)(&cfg.MetricsTokenFile)},
		{"console", "IM_CONSOLE", "serve the admin console at /admin/; imadmin serves it elsewhere", (*boolean)(&cfg.Console)},
		{"db", "IM_DB", "database `URL`: sqlite://relative/path, sqlite:///absolute/path, or mysql://user:password@host:3306/name\n        after a ?: tls=true, ca=FILE, conns=32, conn-life=30m, connect-timeout=3s, timeout=10s of a statement", (*text)(&cfg.DB)},
		{"redis", "IM_REDIS", "Redis `URL` for the cache and the bus of several nodes: redis://user:password@host:6379/0, rediss:// with TLS, redis+sentinel:// or redis+cluster://\n        after a ?: ca=FILE, pool_size=…, dial_timeout=2s, read_timeout=1s, write_timeout=1s, pool_timeout=… (empty: one node, in process)", (*text)(&cfg.Redis)},
		{"redis-prefix", "IM_REDIS_PREFIX", "`prefix` of keys and channels in Redis; servers with different databases need different prefixes", (*text)(&cfg.RedisPrefix)},
		{"blob", "IM_BLOB", "`URL` of the store for uploaded files: file://relative, file:///absolute, or s3://bucket/prefix?endpoint=https://host:port (credentials from the AWS_ variables)\n        after a ?: endpoint, region, path_style=true, ca=FILE, create=false, timeout=5s", (*text)(&cfg.Blob)},
		{"allowed-origins", "IM_ALLOWED_ORIGINS", "`hosts`, separated by commas, whose pages may open WebSockets (pages of the same host always may)", (*list)(&cfg.AllowedOrigins)},
		{"trusted-proxies", "IM_TRUSTED_PROXIES", "`networks` of proxies, separated by commas, whose X-Forwarded-For is trusted: 10.0.0.0/8, ::1", (*networks)(&cfg.TrustedProxies)},
		{"turn-addr", "IM_TURN_ADDR", "`host:port` for STUN and TURN, for calls, over UDP and TCP: :3478 (empty: none)", (*text)(&cfg.TURNAddr)},
		{"turn-public-ip", "IM_TURN_PUBLIC_IP", "public IPv4 `address` of --turn-addr, for clients and their peers (empty: its host, if that is an address)", (*text)(&cfg.TURNPublicIP)},
		{"turn-relay-ports", "IM_TURN_RELAY_PORTS", "UDP `ports` for relaying, one for each allocation; open them in the firewall", (*text)(&cfg.TURNRelayPorts)},
		{"turn-allow-private", "IM_TURN_ALLOW_PRIVATE", "also relay to private networks and this machine; for tests, and if all clients are in one network", (*boolean)(&cfg.TURNAllowPrivate)},
		{"turn-user-allocations", "IM_TURN_USER_ALLOCATIONS", "`allocations` that a user may have at a time (a call takes several: one for each network and each way to the server)", (*integer)(&cfg.TURNUserAllocations)},
		{"turn-user-bandwidth", "IM_TURN_USER_BANDWIDTH", "`bytes` per second to relay for a user, both directions together; packets above it are dropped (0: no limit)", (*size64)(&cfg.TURNUserBandwidth)},
		{"ice-servers", "IM_ICE_SERVERS", "`URLs`, separated by commas, of other STUN and TURN servers: stun:host:3478, turn:host:3478?transport=udp, turns:host:5349", (*list)(&cfg.ICEServers)},
		{"message-rate", "IM_MESSAGE_RATE", "`messages` per second that a user may send (0: no limit)", (*float)(&cfg.MessageRate)},
		{"message-burst", "IM_MESSAGE_BURST", "`messages` that a user may send at once", (*integer)(&cfg.MessageBurst)},
		{"registration-rate", "IM_REGISTRATION_RATE", "`accounts` per minute from one address, except loopback (0: no limit)", (*float)(&cfg.RegistrationRate)},
		{"contacts", "IM_CONTACTS", "users who have not chosen otherwise accept messages, groups and calls only from users they added as friends; others send a request", (*boolean)(&cfg.Contacts)},
		{"max-content", "IM_MAX_CONTENT", "largest message, in `bytes`; KiB, MiB and GiB are units", (*size)(&cfg.MaxContent)},
		{"max-frame", "IM_MAX_FRAME", "largest WebSocket frame from a client, in `bytes`", (*size)(&cfg.MaxFrame)},
		{"max-body", "IM_MAX_BODY", "largest JSON body, in `bytes`", (*size)(&cfg.MaxBody)},
		{"max-upload", "IM_MAX_UPLOAD", "largest uploaded file, in `bytes`", (*size64)(&cfg.MaxUpload)},
		{"user-quota", "IM_USER_QUOTA", "limit for all files of a user together, in `bytes` (0: no limit)", (*size64)(&cfg.UserQuota)},
		{"total-quota", "IM_TOTAL_QUOTA", "limit for the files of all users together, in `bytes` (0: no limit)", (*size64)(&cfg.TotalQuota)},
		{"max-members", "IM_MAX_MEMBERS", "most `members` of a group", (*integer)(&cfg.MaxMembers)},
		{"moderation-reads", "IM_MODERATION_READS", "moderators may read other people's messages; every time is recorded in the audit", (*boolean)(&cfg.ModerationReads)},
		{"request-timeout", "IM_REQUEST_TIMEOUT", "`time` limit of a request or a frame, except file transfers; after it, the answer is 503", (*duration)(&cfg.RequestTimeout)},
		{"token-ttl", "IM_TOKEN_TTL", "`lifetime` of an access token", (*duration)(&cfg.TokenTTL)},
		{"session-ttl", "IM_SESSION_TTL", "`lifetime` of a login that is not refreshed", (*duration)(&cfg.SessionTTL)},
		{"require-2fa", "IM_REQUIRE_2FA", "`users` who must use two-factor login, and can do nothing else until they have set it up: off, admins (every role except user), all", (*text)(&cfg.RequireTwoFactor)},
		{"call-ring", "IM_CALL_RING", "`time` after which an unanswered call ends", (*duration)(&cfg.CallRing)},
		{"call-gone", "IM_CALL_GONE", "`time` after which a call ends if a peer has lost the connection", (*duration)(&cfg.CallGone)},
		{"shutdown-timeout", "IM_SHUTDOWN_TIMEOUT", "`time` from the signal to the exit, for draining connections and flushing telemetry", (*duration)(&cfg.ShutdownTimeout)},
		{"log-level", "IM_LOG_LEVEL", "`level`: debug, info, warn or error", textValue{&cfg.LogLevel}},
		{"log-format", "IM_LOG_FORMAT", "`format`: text or json", (*text)(&cfg.LogFormat)},
	}
}

// secretSettings returns the settings without a flag: everybody on the machine can see a command line.
func secretSettings(cfg *server.Config) []setting {
	return []setting{
		{"jwt-secret", "IM_JWT_SECRET", "signs access tokens, 32 bytes or more; if unset with SQLite, one is generated and kept beside the database", (*text)(&cfg.JWTSecret)},
		{"turn-secret", "IM_TURN_SECRET", "makes the credentials for --turn-addr, 32 bytes or more; if unset, it is derived from the secret above", (*text)(&cfg.TURNSecret)},
		{"ice-secret", "IM_ICE_SECRET", "makes the credentials for TURN servers in --ice-servers: coturn's static-auth-secret, with use-auth-secret", (*text)(&cfg.ICESecret)},
	}
}

// describe returns the usage text.
func describe(all []setting) string {
	var b strings.Builder
	b.WriteString(`imserver is an instant-messaging server. With no settings it needs nothing
installed: it keeps everything in ./data and listens on port 8080.

Usage: imserver [--setting value]...
       imserver admin COMMAND               roles, bans, passwords, audit, backup: imserver admin --help
       imserver completion bash|fish|zsh    prints a completion script
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
        check whether the server at --addr is alive, and exit with 0 or 1
  --version
        print the version, the commit and Go's version, and exit

Secrets have no flag, because other users see flags in ps. In a file they are
jwt-secret, turn-secret and ice-secret.

`)
	for _, s := range secretSettings(new(server.Config)) {
		fmt.Fprintf(&b, "  %s\n        %s\n", s.env, s.usage)
	}
	b.WriteString(`
OTEL_METRICS_EXPORTER=otlp and OTEL_TRACES_EXPORTER=otlp push metrics (besides
        /metrics) and traces, as OTEL_EXPORTER_OTLP_ENDPOINT and OpenTelemetry's other
        variables say. OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and
        OTEL_SDK_DISABLED work too.
`)
	return b.String()
}

// unquote returns the argument's name from a setting's usage, and the usage without the quotes.
func unquote(usage string) (arg, text string) {
	before, rest, _ := strings.Cut(usage, "`")
	arg, after, _ := strings.Cut(rest, "`")
	return strings.ToUpper(arg), before + arg + after
}
