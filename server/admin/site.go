package admin

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/onemeter/onemeter/server/page"
)

//go:embed app/*.html app/*.js app/*.svg app/css/*.css app/state/*.js app/ui/*.js
var embedded embed.FS

// A Config is what the console is made of.
type Config struct {
	// Index is the path of the page, Files that below which its files are. Both
	// begin and end with a slash.
	Index, Files string
	// Runbook is Markdown with a section for each alert: ### and its name. What a
	// section says is shown beside the alert.
	Runbook string
	// Nodes are the servers whose state the console shows. It is called for each
	// request that asks for them, possibly concurrently.
	Nodes func() []Node
}

// A Node is a server whose state the console shows.
type Node struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
	Why  string `json:"why,omitempty"` // it is not up
	// Paths of its exposition for Prometheus, of its instruments and conflicts as
	// JSON, and of its readiness. The first two want an admin's token.
	Metrics   string `json:"metrics"`
	Telemetry string `json:"telemetry"`
	Ready     string `json:"ready"`
}

// New makes what serves the console: the page, its files, and Index + "nodes".
func New(cfg Config) (http.Handler, error) {
	app, err := fs.Sub(embedded, "app")
	if err != nil {
		return nil, err
	}
	paragraphs, err := json.Marshal(paragraphs(cfg.Runbook))
	if err != nil {
		return nil, err
	}
	site, err := page.New(page.Config{
		Index: cfg.Index, Files: cfg.Files,
		Layers: []fs.FS{page.Kit(), page.Plot(), app},
		Made:   map[string][]byte{"runbook.json": paragraphs},
	})
	if err != nil {
		return nil, fmt.Errorf("admin console: %w", err)
	}
	return &console{site: site, nodesAt: cfg.Index + "nodes", nodes: cfg.Nodes}, nil
}

// A console serves the page, and says which nodes there are.
type console struct {
	site    *page.Site
	nodesAt string
	nodes   func() []Node
}

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != c.nodesAt || c.nodes == nil {
		c.site.ServeHTTP(w, r)
		return
	}
	text, err := json.Marshal(map[string]any{"nodes": c.nodes()})
	if err != nil {
		http.Error(w, "the nodes cannot be told", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text)
}
