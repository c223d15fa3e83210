package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/onemeter/onemeter/server/observe"
	"github.com/onemeter/onemeter/server/rest"
	"github.com/onemeter/onemeter/telemetry"
)

const (
	minToken = 16   // bytes
	maxToken = 4096 // bytes of its file
)

// openMetrics adds /metrics and /debug/telemetry to the main address, or opens an address of their own, which also has
// the profiles and the build information.
func (s *Server) openMetrics(cfg *rest.Config, seen *observe.Observer, tel *telemetry.Provider) error {
	token, err := s.cfg.metricsToken()
	if err != nil {
		return fmt.Errorf("%s: %w", s.cfg.tokenSetting(), err)
	}
	guard := func(h http.Handler) http.Handler { return h }
	if token != "" {
		guard = func(h http.Handler) http.Handler { return requireToken(token, h) }
	}
	page, debug := guard(tel.Handler()), guard(tel.DebugHandler())
	cfg.StaffMetrics, cfg.StaffTelemetry = tel.Handler(), tel.DebugHandler() // package rest requires an admin's token
	if s.cfg.MetricsAddr == "" {
		cfg.Metrics, cfg.Debug, cfg.DebugAsks = page, debug, token != ""
		return nil
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", page)
	mux.Handle("GET /debug/telemetry", debug)
	for pattern, h := range profiles() {
		mux.Handle(pattern, guard(h))
	}
	s.metrics = s.httpServer(seen.Handler(mux))
	s.metrics.ReadTimeout, s.metrics.WriteTimeout = metricsTimeout, metricsTimeout
	return nil
}

// checkPages adds the faults of the settings for /metrics.
func (c Config) checkPages(f *faults) {
	if c.MetricsAddr != "" {
		f.add("--metrics-addr", checkAddr(c.MetricsAddr))
		f.unless(c.MetricsAddr != c.Addr || strings.HasSuffix(c.Addr, ":0"), "--metrics-addr", "is the same as --addr: leave it empty to serve /metrics there")
	}
	_, err := c.metricsToken()
	f.add(c.tokenSetting(), err)
}

// requireToken refuses requests without the bearer token. It compares in constant time.
func requireToken(token string, h http.Handler) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(given)))
		if subtle.ConstantTimeCompare(got[:], want[:]) == 1 && strings.EqualFold(scheme, "Bearer") {
			h.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
		http.Error(w, "This page requires the bearer token of --metrics-token.", http.StatusUnauthorized)
	})
}

// tokenSetting returns the name of the setting that metricsToken reads, for errors.
func (c Config) tokenSetting() string {
	if c.MetricsTokenFile != "" {
		return "--metrics-token-file"
	}
	return "--metrics-token"
}

// metricsToken returns the token of the setting or of the file, or "" if there is none.
func (c Config) metricsToken() (string, error) {
	token := c.MetricsToken
	if c.MetricsTokenFile != "" {
		if token != "" {
			return "", errors.New("is set, and so is --metrics-token: leave one out")
		}
		var err error
		if token, err = readToken(c.MetricsTokenFile); err != nil {
			return "", err
		}
	} else if token == "" {
		return "", nil
	}
	if len(token) < minToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("the token has %d bytes, but must have %d or more, all visible ASCII: openssl rand -hex 16 makes one", len(token), minToken)
	}
	return token, nil
}

func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err // names the file
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err == nil && len(text) > maxToken {
		err = fmt.Errorf("%s has more than %d bytes", name, maxToken)
	}
	return strings.TrimSpace(string(text)), err
}
