package page

import (
	"embed"
	"io/fs"
)

//go:embed kit/*.js kit/css/*.css kit/state/*.js kit/ui/*.js kit/vendor/*
var kit embed.FS

//go:embed plot/*.js plot/vendor/*
var plot embed.FS

// Kit is the layer that pages share.
func Kit() fs.FS { return below(kit, "kit") }

// Plot is the layer of charts: uPlot, below plot/.
func Plot() fs.FS { return plot }

// below is the folder of an embedded file system.
func below(files fs.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the name is a constant, and valid
	}
	return sub
}
