// Package page serves pages for browsers: static files, compiled into the
// program. [New] makes the handler of a page. The chat client and the admin console
// use it.
//
// A page consists of layers of files. [Kit] is the layer that pages share: the
// view library, the style, dialogs. [Plot] draws charts. The last layer has the
// page's own files:
//
//	kit/lib.js   what pages use of the view library
//	kit/vendor   preact, htm and signals from npm, checked by make web-vendor
//	kit/css      colours, type, buttons, fields
//	kit/ui       the components that pages share, one a file
//	plot/        uPlot from npm, and the one file that imports it
//	npm/         the versions and hashes of npm packages, and the type checker's settings
//
// There is no build step: browsers get the files as they are. The path of every
// file except index.html contains a hash of all files. So browsers can cache files
// for ever, and never mix two versions.
package page
