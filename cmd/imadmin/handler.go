package main

import (
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/onemeter/onemeter/deploy"
	"github.com/onemeter/onemeter/internal/cli"
	"github.com/onemeter/onemeter/server/admin"
)

// newHandler returns the route table.
func newHandler(cfg config, b *backends, log *slog.Logger) (http.Handler, error) {
	console, err := admin.New(admin.Config{Index: "/", Files: "/app/", Runbook: deploy.Runbook, Nodes: b.nodes})
	if err != nil {
		return nil, err
	}
	p := newProxy(cfg, b, log)
	mux := http.NewServeMux()
	mux.Handle("/", console)
	mux.Handle("GET /admin/", http.RedirectHandler("/", http.StatusFound)) // where imserver has it
	mux.Handle("GET /health", b.health(time.Now()))
	mux.Handle("/api/", p)
	mux.Handle("GET /ws", p)
	// The console shows these of each node. The node checks the caller's token.
	for name, path := range map[string]string{
		"metrics": "/api/super-admin/metrics", "telemetry": "/api/super-admin/telemetry", "readyz": "/readyz",
	} {
		mux.HandleFunc("GET /nodes/{node}/"+name, func(w http.ResponseWriter, r *http.Request) {
			one := b.named(r.PathValue("node"))
			if one == nil {
				fail(w, http.StatusNotFound, "there is no such node", "/nodes lists the names")
				return
			}
			p.to(one, path, w, r)
		})
	}
	return mux, nil
}

// nodes returns the backends in the form that the console reads.
func (b *backends) nodes() []admin.Node {
	nodes := make([]admin.Node, len(b.all))
	for i, one := range b.all {
		base := "/nodes/" + url.PathEscape(one.name) + "/"
		nodes[i] = admin.Node{
			Name: one.name, Up: true,
			Metrics: base + "metrics", Telemetry: base + "telemetry?format=json", Ready: base + "readyz",
		}
		if err := one.state(); err != nil {
			nodes[i].Up, nodes[i].Why = false, err.Error()
		}
	}
	return nodes
}

// health serves /health: the state of each backend. It answers 200 even if no
// backend is ready, because a restart of imadmin would not help.
func (b *backends) health(started time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, ready, states := "ok", 0, make(map[string]string, len(b.all))
		for _, one := range b.all {
			states[one.url.String()] = "ok"
			if err := one.state(); err != nil {
				states[one.url.String()] = err.Error()
			} else {
				ready++
			}
		}
		if ready == 0 {
			status = "no backend is ready"
		} else if ready < len(b.all) {
			status = "degraded"
		}
		answer(w, http.StatusOK, map[string]any{
			"status": status, "backends": states, "version": cli.Version(), "uptime_seconds": int64(time.Since(started).Seconds()),
		})
	})
}
