// Package web is the chat client for browsers: static files, compiled into the
// program. [New] makes what serves them.
//
// The files are in app, and stand on those that package page shares between pages:
//
//	app/index.html   the page, at /
//	app/main.js      starts it
//	app/state        what is known: session, socket, conversations, calls. No markup
//	app/ui           what is shown, one component a file
//	app/css          how it looks
//
// The client knows the server by its public API alone. The policy that goes with
// every file forbids scripts and styles from elsewhere, inline ones, and text
// that becomes markup.
package web
