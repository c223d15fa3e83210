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

// listen takes the addresses, so that a taken one is told before anything runs.
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

// Addr is where HTTP and WebSockets are served: the port is known even where
// the configuration left it to the system.
func (s *Server) Addr() string { return s.listeners[0].Addr().String() }

// MetricsAddr is where /metrics is served.
func (s *Server) MetricsAddr() string { return s.listeners[len(s.listeners)-1].Addr().String() }

// Up is closed once Run serves and the server has answered itself.
func (s *Server) Up() <-chan struct{} { return s.up }

// Run serves until ctx ends, and then shuts down: WebSockets are told to go
// away, requests under way are finished, accepted messages are stored. Each step
// has its share of Config.ShutdownTimeout, and what is not done by then is cut
// off and logged; a share is left to the caller, who flushes the telemetry that
// he made. Run returns nil after that.
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
		err = nil // stopped before it was up
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

// greet asks the server over the network whether it is alive, and says where
// everything is.
func (s *Server) greet(ctx context.Context) error {
	if err := CheckHealth(ctx, s.Addr()); err != nil {
		return fmt.Errorf("the server does not answer itself: %w", err)
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

// CheckHealth asks the server that listens at addr, host:port, whether it is
// alive, within five seconds. An empty host is this machine.
func CheckHealth(ctx context.Context, addr string) error {
	if err := checkAddr(addr); err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	return alive.Check(ctx, addr, "/healthz")
}

// shutdown closes the floors downward.
func (s *Server) shutdown(ctx context.Context, servers []*http.Server) error {
	s.stopping.Store(true)
	s.within(ctx, 0.3, "WebSockets", s.hub.Shutdown)
	s.within(ctx, 0.3, "requests", func(ctx context.Context) error {
		var errs []error
		for _, srv := range servers {
			if err := srv.Shutdown(ctx); err != nil {
				errs = append(errs, err, srv.Close())
			}
		}
		return errors.Join(errs...)
	})
	s.within(ctx, 0.2, "messages", func(ctx context.Context) error {
		s.chat.Shutdown(ctx)
		return ctx.Err()
	})
	return s.closeAll()
}

// FlushShare is the share of Config.ShutdownTimeout that Run leaves to whoever
// flushes telemetry after it.
const FlushShare = 0.2

// within gives a step of the shutdown its share of the time.
func (s *Server) within(ctx context.Context, share float64, what string, step func(context.Context) error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(share*float64(s.cfg.ShutdownTimeout)))
	defer cancel()
	if err := step(ctx); err != nil {
		s.log.Warn("cut off while stopping", "what", what, "err", err)
	}
}

func (s *Server) closeAll() error {
	var errs []error
	for _, c := range slices.Backward(s.close) {
		errs = append(errs, c())
	}
	s.close = nil
	return errors.Join(errs...)
}
