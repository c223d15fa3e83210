// Package web is the chat client for browsers: static files, compiled into the
// program, and the [Site] that serves them. [New] makes it.
//
// The files are in app, and go to the browser as they are: no build step. The
// page is at /, everything else below /app/ and the hash of all files, so that
// browsers keep a file for ever and never mix those of two versions:
//
//	app/index.html   the page; New puts the paths of the others in
//	app/main.js      starts it
//	app/state        what is known: session, socket, conversations, calls. No markup
//	app/ui           what is shown, one component a file
//	app/css          how it looks
//	app/vendor       preact, htm and signals from npm, checked by make web-vendor
//
// The client knows the server by its public API alone. The policy that goes with
// every file forbids scripts and styles from elsewhere, inline ones, and text
// that becomes markup.
package web
