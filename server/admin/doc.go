// Package admin is the admin console for browsers: static files, compiled into
// the program. [New] makes the handler that serves them. imserver serves it at
// /admin/, and imadmin at the root of its own address.
//
// The files are in the folder app, and use those that pages share, from package page:
//
//	app/index.html   the page
//	app/main.js      starts it
//	app/state        the state: session, lists, time series of nodes; no markup
//	app/ui           the view, one page or component a file
//	app/css          the style
//
// The console uses only the server's API, and has no rights of its own: the server
// decides what each user may see and do. The login lasts as long as the browser tab.
package admin
