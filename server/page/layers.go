package page

import (
	"embed"
	"io/fs"
)

//go:embed kit/*.js kit/css/*.css kit/state/*.js kit/ui/*.js kit/vendor/*
var kit embed.FS

//go:embed plot/*.js plot/vendor/*
var plot embed.FS

// Kit returns the layer that pages share.
func Kit() fs.FS { return below(kit, "kit") }

// Plot returns the layer for charts: uPlot, in the folder plot.
func Plot() fs.FS { return plot }

// below returns a folder of an embedded file system.
func below(files fs.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the name is a constant, and valid
	}
	return sub
}
