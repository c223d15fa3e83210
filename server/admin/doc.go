// Package admin is the admin console for browsers: static files, compiled into
// the program. [New] makes what serves them. imserver has it at /admin/, and
// imadmin at the root of a server of its own.
//
// The files are in app, and stand on those that package page shares between pages:
//
//	app/index.html   the page
//	app/main.js      starts it
//	app/state        what is known: session, lists, the series of nodes. No markup
//	app/ui           what is shown, one page or component a file
//	app/css          how it looks
//
// The console knows the server by its API alone, and has no right of its own: the
// server decides who may see and do what. It keeps the login for its tab only.
package admin
