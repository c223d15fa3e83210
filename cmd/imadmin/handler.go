package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/onemeter/onemeter/deploy"
	"github.com/onemeter/onemeter/internal/cli"
	"github.com/onemeter/onemeter/server/admin"
)

// newHandler returns the route table.
func newHandler(cfg config, b *backends, log *slog.Logger) (http.Handler, error) {
	p := newProxy(cfg, b, log)
	console, err := admin.New(admin.Config{Index: "/", Files: "/app/", Runbook: deploy.Runbook, Nodes: p.nodes})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", console)
	mux.Handle("GET /admin/", http.RedirectHandler("/", http.StatusFound)) // where imserver has the console
	mux.Handle("GET /health", p.health(time.Now()))
	for _, route := range forwarded {
		mux.Handle(route, p)
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusNotFound, "not forwarded", "imadmin forwards only the console's calls: send other calls to an imserver")
	})
	// The console reads these from each node, which checks the caller's token.
	for name, path := range map[string]string{
		"metrics": "/api/super-admin/metrics", "telemetry": "/api/super-admin/telemetry", "readyz": "/readyz",
	} {
		mux.HandleFunc("GET /nodes/{node}/"+name, func(w http.ResponseWriter, r *http.Request) {
			one := b.numbered(r.PathValue("node"))
			if one == nil {
				fail(w, http.StatusNotFound, "there is no such node", "/nodes lists the nodes and their paths")
				return
			}
			p.to(one, path, w, r)
		})
	}
	return mux, nil
}

// forwarded are the routes of imserver that the console calls. TestForwardsWhatTheConsoleCalls compares them with the
// console's files.
var forwarded = []string{
	"POST /api/auth/login", "POST /api/auth/login/2fa", "POST /api/auth/refresh", "POST /api/auth/logout",
	"PUT /api/users/me/password", "GET /api/users/me/sessions", "DELETE /api/users/me/sessions", "DELETE /api/users/me/sessions/{id}",
	"/api/2fa/", "/api/moderation/", "/api/super-admin/",
}

// nodes returns the backends in the form that the console reads. If the client may not see addresses, the names of the
// backends are numbers.
func (p *proxy) nodes(r *http.Request) []admin.Node {
	inside := p.insiders.know(r)
	nodes := make([]admin.Node, len(p.backends.all))
	for i, one := range p.backends.all {
		base := fmt.Sprintf("/nodes/%d/", i+1)
		nodes[i] = admin.Node{
			Name: fmt.Sprint("node ", i+1), Up: true,
			Metrics: base + "metrics", Telemetry: base + "telemetry?format=json", Ready: base + "readyz",
		}
		err := one.state()
		if nodes[i].Up = err == nil; !inside {
			continue
		}
		if nodes[i].Name = one.name; err != nil {
			nodes[i].Why = err.Error()
		}
	}
	return nodes
}

// health serves /health: how many backends are ready, and the state of each for clients that may see addresses. It
// answers 200 even if no backend is ready, because a restart of imadmin would not help.
func (p *proxy) health(started time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all := p.backends.all
		status, ready, states := "ok", 0, make(map[string]string, len(all))
		for _, one := range all {
			states[one.url.String()] = "ok"
			if err := one.state(); err != nil {
				states[one.url.String()] = err.Error()
			} else {
				ready++
			}
		}
		if ready == 0 {
			status = "no backend is ready"
		} else if ready < len(all) {
			status = "degraded"
		}
		body := map[string]any{"status": status, "ready": ready, "of": len(all)}
		if p.insiders.know(r) {
			body["backends"], body["version"], body["uptime_seconds"] = states, cli.Version(), int64(time.Since(started).Seconds())
		}
		answer(w, http.StatusOK, body)
	})
}
