// Package page serves pages for browsers: static files, compiled into the
// program. The chat client and the admin console are made with it.
//
// A page is made of layers of files. [Kit] is the layer that pages share: the
// view library, the look, dialogs. [Plot] draws charts. The last layer is the
// page's own:
//
//	kit/lib.js   what pages use of the view library
//	kit/vendor   preact, htm and signals from npm, checked by make web-vendor
//	kit/css      colours, type, buttons, fields
//	kit/ui       what pages are made of, one component a file
//	plot/        uPlot from npm, and the one file that pages import it by
//	npm/         the versions and hashes of what comes from npm, and the checker's settings
//
// Files go to the browser as they are: no build step. A page's index.html has an
// address of its own; everything else is below a hash of all files, so that
// browsers keep a file for ever and never mix those of two versions.
package page
