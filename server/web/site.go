package web

import (
	"embed"
	"fmt"
	"io/fs"

	"github.com/onemeter/onemeter/server/page"
)

//go:embed app/*.html app/*.js app/*.svg app/css/*.css app/state/*.js app/ui/*.js
var embedded embed.FS

// New makes the site of the client, with the page at / and its files below /app/.
func New() (*page.Site, error) {
	app, err := fs.Sub(embedded, "app")
	if err != nil {
		return nil, err
	}
	site, err := page.New(page.Config{Index: "/", Files: "/app/", Layers: []fs.FS{page.Kit(), app}, Media: true})
	if err != nil {
		return nil, fmt.Errorf("web client: %w", err)
	}
	return site, nil
}
