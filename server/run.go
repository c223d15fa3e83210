package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/onemeter/onemeter/internal/alive"
)

// listen opens the listeners first, so that an address that is in use is reported before anything runs.
func (s *Server) listen(ctx context.Context) error {
	addrs := []string{s.cfg.Addr}
	if s.cfg.MetricsAddr != "" {
		addrs = append(addrs, s.cfg.MetricsAddr)
	}
	for _, addr := range addrs {
		var lc net.ListenConfig
		l, err := lc.Listen(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("%w (choose another address with --addr or --metrics-addr)", err)
		}
		s.listeners = append(s.listeners, l)
		s.close = append(s.close, func() error {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				return err
			}
			return nil
		})
	}
	return nil
}

// Addr returns the address of HTTP and WebSockets, with the actual port if the configured one is 0.
func (s *Server) Addr() string { return s.listeners[0].Addr().String() }

// MetricsAddr returns the address of /metrics.
func (s *Server) MetricsAddr() string { return s.listeners[len(s.listeners)-1].Addr().String() }

// Up returns a channel that is closed once the server runs and has checked its own health.
func (s *Server) Up() <-chan struct{} { return s.up }

// Run serves until ctx ends, and then shuts down: it closes WebSockets, finishes requests, and stores accepted
// messages. Each step has to end after a share of Config.ShutdownTimeout, or else it is cut off and logged. The share
// FlushShare is left to the caller, for flushing telemetry. Run returns nil after a shutdown. Call it once.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, len(s.listeners))
	servers := []*http.Server{s.main}
	if s.metrics != nil {
		servers = append(servers, s.metrics)
	}
	for i, srv := range servers {
		go func() { failed <- srv.Serve(s.listeners[i]) }()
	}
	err := s.greet(ctx)
	if ctx.Err() != nil {
		err = nil // ended before the server was up
	}
	if err == nil {
		select {
		case <-ctx.Done():
			s.log.Info("stopping", "within", s.cfg.ShutdownTimeout)
		case err = <-failed:
		}
	}
	err = errors.Join(err, s.shutdown(context.WithoutCancel(ctx), servers))
	s.log.Info("stopped")
	return err
}

// greet checks the server's own health over the network, and logs the addresses.
func (s *Server) greet(ctx context.Context) error {
	if err := CheckHealth(ctx, s.Addr()); err != nil {
		return fmt.Errorf("the server's own health check failed: %w", err)
	}
	close(s.up)
	base := "http://" + alive.Reachable(s.Addr())
	s.log.Info("imserver is up", "version", s.version, "web", base+"/", "api", base+"/api", "metrics", "http://"+alive.Reachable(s.MetricsAddr())+"/metrics")
	uses := []any{"db", redact(s.cfg.DB), "blob", redact(s.cfg.Blob)}
	if s.cfg.Redis != "" {
		uses = append(uses, "redis", redact(s.cfg.Redis), "redis-prefix", s.cfg.RedisPrefix)
	}
	for _, e := range s.exports {
		uses = append(uses, "push-"+e.Signal, e.To)
	}
	s.log.Info("imserver uses", append(uses, s.whereTURN()...)...)
	return nil
}

// CheckHealth requests /healthz of the server at addr, host:port, and returns an error if it does not answer within
// five seconds. An empty host is this machine.
func CheckHealth(ctx context.Context, addr string) error {
	if err := checkAddr(addr); err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	return alive.Check(ctx, addr, "/healthz")
}

// shutdown closes the floors downward. A step that ends early leaves its time to the next one.
func (s *Server) shutdown(ctx context.Context, servers []*http.Server) error {
	s.stopping.Store(true)
	began := time.Now()
	until := func(share float64, what string, step func(context.Context) error) {
		ctx, cancel := context.WithDeadline(ctx, began.Add(time.Duration(share*float64(s.cfg.ShutdownTimeout))))
		defer cancel()
		if err := step(ctx); err != nil {
			s.log.Warn("cut off while stopping", "what", what, "err", err)
		}
	}
	// A frame that waits for a database that does not answer gets its error within 3 s.
	until(0.45, "WebSockets", s.hub.Shutdown)
	until(0.7, "requests", func(ctx context.Context) error {
		var errs []error
		for _, srv := range servers {
			if err := srv.Shutdown(ctx); err != nil {
				errs = append(errs, err, srv.Close())
			}
		}
		return errors.Join(errs...)
	})
	until(1-FlushShare, "messages", func(ctx context.Context) error {
		s.chat.Shutdown(ctx)
		return ctx.Err()
	})
	return s.closeAll()
}

// FlushShare is the share of Config.ShutdownTimeout that Run leaves to its caller, for flushing telemetry.
const FlushShare = 0.2

func (s *Server) closeAll() error {
	var errs []error
	for _, c := range slices.Backward(s.close) {
		errs = append(errs, c())
	}
	s.close = nil
	return errors.Join(errs...)
}
