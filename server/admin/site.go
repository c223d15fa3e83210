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

// A Config describes the console.
type Config struct {
	// Index is the path of the page, and Files the path of the folder of its other
	// files. Both begin and end with a slash.
	Index, Files string
	// Runbook is Markdown with a section for each alert: ### and the alert's name.
	// The console shows the section beside the alert.
	Runbook string
	// Nodes returns the servers whose state the console shows to the client of a
	// request, who need not be logged in. It is called for each request, possibly
	// concurrently. If it is nil, there is no list of nodes.
	Nodes func(*http.Request) []Node
}

// A Node is a server whose state the console shows.
type Node struct {
	Name string `json:"name"`
	Up   bool   `json:"up"`
	Why  string `json:"why,omitempty"` // why it is not up; empty: the client may not know
	// Paths of its metrics in Prometheus's format, of its instruments and conflicts
	// as JSON, and of its readiness. The first two require an admin's token.
	Metrics   string `json:"metrics"`
	Telemetry string `json:"telemetry"`
	Ready     string `json:"ready"`
}

// New returns the handler of the console: the page, its files, and the list of
// nodes at Index + "nodes". The handler is safe for concurrent use if Nodes is.
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

// A console serves the page and the list of nodes.
type console struct {
	site    *page.Site
	nodesAt string
	nodes   func(*http.Request) []Node
}

func (c *console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != c.nodesAt || c.nodes == nil {
		c.site.ServeHTTP(w, r)
		return
	}
	text, err := json.Marshal(map[string]any{"nodes": c.nodes(r)})
	if err != nil {
		http.Error(w, "could not encode the list of nodes", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(text)
}
