// Imadmin serves the admin console by itself, and forwards the console's requests
// to imservers: imadmin --backend http://chat-1:8080,http://chat-2:8080.
//
// Imadmin stores no data and no secret. It starts even if no backend answers; /health,
// the page and the log say which backends do not. imadmin --help lists the settings.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/onemeter/onemeter/internal/alive"
	"github.com/onemeter/onemeter/internal/cli"
)

const (
	exitOK     = cli.OK
	exitFailed = cli.Failed
	exitUsage  = cli.Usage
)

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == "completion" {
		text, err := completion(args[1:])
		if err != nil {
			_, _ = fmt.Fprintln(stderr, "imadmin:", err)
			return exitUsage
		}
		_, _ = io.WriteString(stdout, text)
		return exitOK
	}
	cfg, err := parse(args, getenv)
	log := newLogger(cfg, stderr)
	switch {
	case errors.Is(err, errHelp):
		_, _ = io.WriteString(stdout, usage())
		return exitOK
	case err != nil:
		for fault := range strings.Lines(err.Error()) {
			log.Error("a setting is wrong; imadmin --help lists them", "err", strings.TrimSuffix(fault, "\n"))
		}
		return exitUsage
	case cfg.version:
		_, _ = fmt.Fprintln(stdout, cli.Line("imadmin"))
		return exitOK
	case cfg.healthcheck:
		err = alive.Check(ctx, cfg.addr, "/health")
	default:
		for _, name := range unknown(os.Environ()) {
			log.Warn("unknown environment variable, ignored; imadmin --help lists the known ones", "name", name)
		}
		err = serve(ctx, cfg, log)
	}
	if err != nil {
		log.Error("imadmin failed", "err", err)
		return exitFailed
	}
	return exitOK
}

// Limits that protect against clients which are slow, or send too much, on purpose.
const (
	headerTimeout  = 5 * time.Second
	bodyTimeout    = 30 * time.Second
	answerTimeout  = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
)

// serve runs until ctx ends. It then waits up to cfg.shutdownTimeout for running
// requests to finish, and cuts off those that have not.
func serve(ctx context.Context, cfg config, log *slog.Logger) error {
	working, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	backends := newBackends(cfg.backends, log)
	handler, err := newHandler(cfg, backends, log)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      answerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return working },
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.addr)
	if err != nil {
		return fmt.Errorf("%w (choose another address with --addr)", err)
	}
	watching := backends.watch(working)
	defer func() { end(); watching.Wait() }()
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	log.Info("imadmin is up", "version", cli.Version(), "console", "http://"+alive.Reachable(l.Addr().String())+"/", "backends", cfg.backends.String())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping", "within", cfg.shutdownTimeout.String())
	draining, cancel := context.WithTimeout(working, cfg.shutdownTimeout)
	defer cancel()
	if err := srv.Shutdown(draining); err != nil {
		log.Warn("running requests were cut off at the stop; --shutdown-timeout sets how long they may take", "err", err)
		err = srv.Close()
		return err
	}
	log.Info("stopped")
	return nil
}

func newLogger(cfg config, w io.Writer) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.logLevel}
	if cfg.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
