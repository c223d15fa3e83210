package server

import (
	"net/http"

	"github.com/onemeter/onemeter/deploy"
	"github.com/onemeter/onemeter/server/admin"
	"github.com/onemeter/onemeter/server/rest"
)

// openConsole serves the admin console at /admin/ if Config.Console is set. It shows the metrics of the node that
// answers.
func (s *Server) openConsole(cfg *rest.Config) error {
	if !s.cfg.Console {
		return nil
	}
	node := admin.Node{Name: "this server", Up: true, Metrics: "/api/super-admin/metrics", Telemetry: "/api/super-admin/telemetry?format=json", Ready: "/readyz"}
	console, err := admin.New(admin.Config{
		Index: "/admin/", Files: "/admin/app/", Runbook: deploy.Runbook,
		Nodes: func(*http.Request) []admin.Node { return []admin.Node{node} },
	})
	cfg.Console = console
	return err
}
