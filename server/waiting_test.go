package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
)

// After a power cut, everything starts at once, and a node may be there first.
func TestStartWaitsForItsParts(t *testing.T) {
	for _, part := range []string{"database", "files"} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			endpoint, bucket := needs.S3(t)
			redis, prefix := needs.Redis(t)
			at := map[string]string{"database": needs.MySQL(t), "files": endpoint}
			u, err := url.Parse(at[part])
			if err != nil {
				t.Fatal(err)
			}
			proxy := needs.NewProxy(t, u.Host)
			u.Host = proxy.Addr
			at[part] = u.String()
			proxy.Cut()
			go func() {
				for proxy.Calls() < 10 && t.Context().Err() == nil { // more than anything tries at once
					time.Sleep(10 * time.Millisecond)
				}
				proxy.Heal()
			}()
			a := start(t, func(cfg *server.Config) {
				cfg.DB, cfg.JWTSecret, cfg.Redis, cfg.RedisPrefix = at["database"], strings.Repeat("secret", 6), redis, prefix
				cfg.Blob = "s3://" + bucket + "?endpoint=" + url.QueryEscape(at["files"])
			})
			a.isReady(t, http.StatusOK, "ok")
		})
	}
}

// Redis brings the events of other nodes: without it a node starts, and says so.
func TestStartDoesNotWaitForRedis(t *testing.T) {
	redis, prefix := needs.Redis(t)
	u, err := url.Parse(redis)
	if err != nil {
		t.Fatal(err)
	}
	proxy := needs.NewProxy(t, u.Host)
	u.Host = proxy.Addr
	proxy.Cut()
	a := start(t, func(cfg *server.Config) {
		cfg.DB, cfg.JWTSecret, cfg.Redis, cfg.RedisPrefix = needs.MySQL(t), strings.Repeat("secret", 6), u.String(), prefix
	})
	a.isReady(t, http.StatusOK, "degraded")
	proxy.Heal()
	a.isReady(t, http.StatusOK, "ok")
}
