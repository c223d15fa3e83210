// Imserver is an instant-messaging server that records everything it does
// through one OpenTelemetry MeterProvider and serves it on /metrics.
//
// With no settings it needs nothing installed: it keeps its data in ./data and
// listens on port 8080. imserver --help lists the settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/onemeter/onemeter/internal/cli"
	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
	_ "github.com/onemeter/onemeter/telemetry/otlp" // what the OTEL_ variables can ask for
)

const (
	exitOK     = cli.OK
	exitFailed = cli.Failed
	exitUsage  = cli.Usage
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "help" { // help admin is admin --help
		args = append(slices.Clone(args[1:]), "--help")
	}
	if len(args) > 0 && args[0] == "admin" {
		return admin(ctx, args[1:], getenv, stdin, stdout, stderr)
	}
	if text, asked, err := subcommand(args); asked {
		if err != nil {
			_, _ = fmt.Fprintln(stderr, "imserver:", err)
			return exitUsage
		}
		_, _ = io.WriteString(stdout, text)
		return exitOK
	}
	r, err := parse(args, getenv, stdout)
	if errors.Is(err, errHelp) {
		return exitOK
	}
	log := newLogger(r.cfg, stderr)
	defer server.FlushLog(log)
	switch {
	case err != nil:
		for fault := range strings.Lines(err.Error()) {
			log.Error("a setting is wrong; imserver --help lists them", "err", strings.TrimSuffix(fault, "\n"))
		}
		return exitUsage
	case r.command == printVersion:
		_, _ = fmt.Fprintln(stdout, cli.Line("imserver"))
		return exitOK
	case r.command == checkHealth:
		if err := server.CheckHealth(ctx, r.cfg.Addr); err != nil {
			log.Error("imserver is not healthy", "err", err)
			return exitFailed
		}
		return exitOK
	}
	slog.SetDefault(log)
	for _, warning := range r.warnings {
		log.Warn(warning)
	}
	for _, name := range unknown(os.Environ()) {
		log.Warn("unknown environment variable, ignored; imserver --help lists the known ones", "name", name)
	}
	if err := serve(ctx, r.cfg, log); err != nil {
		log.Error("imserver failed", "err", err)
		return exitFailed
	}
	return exitOK
}

// serve runs a server until ctx ends, and then flushes telemetry. If the telemetry receiver is unreachable, that is
// not an error of the server.
func serve(ctx context.Context, cfg server.Config, log *slog.Logger) error {
	tel, err := telemetry.Setup(ctx, telemetry.WithService("imserver", cli.Version()))
	if err != nil {
		return err // the error names telemetry
	}
	defer func() {
		within := time.Duration(server.FlushShare * float64(cfg.ShutdownTimeout))
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
		defer cancel()
		if err := tel.Shutdown(flush); err != nil {
			log.Warn("could not send the last telemetry; it is lost", "err", err)
		}
	}()
	srv, err := server.New(ctx, cfg, tel, log, cli.Version())
	if err != nil {
		return err
	}
	return srv.Run(ctx)
}

func newLogger(cfg server.Config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel, ReplaceAttr: withUnit}
	var h slog.Handler = slog.NewTextHandler(w, opts)
	if cfg.LogFormat == "json" {
		h = slog.NewJSONHandler(w, opts)
	}
	return slog.New(server.LogHandler(h))
}

// withUnit writes durations as 1.5ms in every line and format. Otherwise JSON would have nanoseconds without a unit.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
