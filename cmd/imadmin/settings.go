package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/onemeter/onemeter/internal/cli"
)

// errHelp is the error of parse for --help.
var errHelp = flag.ErrHelp

// A config holds the values of the settings.
type config struct {
	addr            string
	backends        addresses
	trusted         prefixes
	maxBody         int64
	shutdownTimeout time.Duration
	logLevel        slog.Level
	logFormat       string

	version, healthcheck bool
}

func defaultConfig() config {
	return config{
		addr:            "127.0.0.1:3001",
		backends:        addresses{"http://127.0.0.1:8080"},
		maxBody:         1 << 20,
		shutdownTimeout: 10 * time.Second,
		logFormat:       "text",
	}
}

// A setting is a flag with an environment variable.
type setting struct {
	name, env, arg, usage string
	choices               []string // the possible values; nil if there is no list of them
	value                 flag.Value
}

func settings(cfg *config) []setting {
	return []setting{
		{"backend", "IMADMIN_BACKEND", "URL[,URL]", "imservers to administer, as http://host:port, which must be nodes of one system; each request goes to the first that is ready", nil, &cfg.backends},
		{"addr", "IMADMIN_ADDR", "HOST:PORT", "address to serve the console at", nil, hostPort{&cfg.addr}},
		{"trusted-proxies", "IMADMIN_TRUSTED_PROXIES", "NETWORKS", "networks of proxies, separated by commas, whose X-Forwarded-For is trusted: 10.0.0.0/8, ::1", nil, &cfg.trusted},
		{"max-body", "IMADMIN_MAX_BODY", "BYTES", "largest size of a request body", nil, bytesValue{&cfg.maxBody}},
		{"shutdown-timeout", "IMADMIN_SHUTDOWN_TIMEOUT", "TIME", "time from the signal to the exit, for running requests to finish", nil, durationValue{&cfg.shutdownTimeout}},
		{"log-level", "IMADMIN_LOG_LEVEL", "LEVEL", "lowest level to log: debug, info, warn or error", []string{"debug", "info", "warn", "error"}, levelValue{&cfg.logLevel}},
		{"log-format", "IMADMIN_LOG_FORMAT", "FORMAT", "format of the log: text or json", []string{"text", "json"}, formatValue{&cfg.logFormat}},
	}
}

// parse reads the settings. A flag overrides its variable. The error has every
// fault, one on each line. Together with an error, parse returns the config, whose
// log format is needed to report the error.
func parse(args []string, getenv func(string) string) (config, error) {
	cfg := defaultConfig()
	flags := flag.NewFlagSet("imadmin", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&cfg.version, "version", false, "")
	flags.BoolVar(&cfg.healthcheck, "healthcheck", false, "")
	var faults []error
	given := make(map[string]bool)
	all := settings(&cfg)
	set := func(from string, s setting, value string) error {
		given[s.name] = true
		if err := s.value.Set(value); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", from, err))
		}
		return nil
	}
	for _, s := range all {
		flags.Func(s.name, s.usage, func(value string) error { return set("--"+s.name, s, value) })
	}
	cli.Once(flags, func(err error) { faults = append(faults, err) })
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return cfg, errHelp
	} else if err != nil {
		name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
		if unknown {
			err = fmt.Errorf("unknown flag --%s", name)
		}
		faults = append(faults, err)
	}
	if flags.NArg() > 0 {
		faults = append(faults, fmt.Errorf("unknown argument %q: settings begin with --", flags.Arg(0)))
	}
	for _, s := range all {
		if value := getenv(s.env); value != "" && !given[s.name] {
			_ = set(s.env, s, value)
		}
	}
	return cfg, errors.Join(faults...)
}

// unknown returns the environment variables that look like settings but are not, most
// likely because of a typing error.
func unknown(environ []string) (names []string) {
	known := settings(new(config))
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		is := func(s setting) bool { return s.env == name }
		if strings.HasPrefix(name, "IMADMIN_") && !slices.ContainsFunc(known, is) {
			names = append(names, name)
		}
	}
	return names
}

// usage returns the text of --help.
func usage() string {
	var b strings.Builder
	b.WriteString(`imadmin serves the admin console of imserver by itself, and forwards the
console's requests to imservers. It stores no data and no secret.

Usage: imadmin --backend http://host:port[,http://host:port] [--setting value]...
       imadmin completion bash|fish|zsh    prints a completion script

Each setting can be given by its environment variable instead.

`)
	cfg := defaultConfig()
	for _, s := range settings(&cfg) {
		fmt.Fprintf(&b, "  --%s %s   (%s)\n        %s", s.name, s.arg, s.env, s.usage)
		if d := s.value.String(); d != "" {
			fmt.Fprintf(&b, "; default %s", d)
		}
		b.WriteString("\n")
	}
	b.WriteString(`  --healthcheck
        check whether the imadmin at --addr is alive, and exit with 0 or 1
  --version
        print the version, and exit
`)
	return b.String()
}

// The types of settings. The errors of Set repeat the text, and say which form it must
// have.
type (
	prefixes      []netip.Prefix
	hostPort      struct{ to *string }
	bytesValue    struct{ to *int64 }
	durationValue struct{ to *time.Duration }
	levelValue    struct{ to *slog.Level }
	formatValue   struct{ to *string }
)

func (p *prefixes) String() string {
	all := make([]string, len(*p))
	for i, one := range *p {
		all[i] = one.String()
	}
	return strings.Join(all, ",")
}

func (p *prefixes) Set(text string) error {
	*p = nil
	for each := range strings.SplitSeq(text, ",") {
		each = strings.TrimSpace(each)
		prefix, err := netip.ParsePrefix(each)
		if err != nil {
			addr, err := netip.ParseAddr(each)
			if err != nil {
				return fmt.Errorf("%q is not a network: write 10.0.0.0/8 or an address", each)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

func (p prefixes) contain(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(one netip.Prefix) bool { return one.Contains(addr.Unmap()) })
}

func (v hostPort) String() string { return *v.to }

func (v hostPort) Set(text string) error {
	_, port, err := net.SplitHostPort(text)
	if n, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil || n > 65535 {
		return fmt.Errorf("%q is not host:port: write 127.0.0.1:3001 or :3001", text)
	}
	*v.to = text
	return nil
}

func (v bytesValue) String() string { return strconv.FormatInt(*v.to, 10) }

func (v bytesValue) Set(text string) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1024 || n > 1<<30 {
		return fmt.Errorf("%q is not a number of bytes: write a number from 1024 to 1073741824", text)
	}
	*v.to = n
	return nil
}

func (v durationValue) String() string { return v.to.String() }

func (v durationValue) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time: write 10s or 1m", text)
	}
	*v.to = d
	return nil
}

func (v levelValue) String() string { return strings.ToLower(v.to.String()) }

func (v levelValue) Set(text string) error {
	if err := v.to.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("%q is not a level: write debug, info, warn or error", text)
	}
	return nil
}

func (v formatValue) String() string { return *v.to }

func (v formatValue) Set(text string) error {
	if text != "text" && text != "json" {
		return fmt.Errorf("%q is not a format: write text or json", text)
	}
	*v.to = text
	return nil
}
