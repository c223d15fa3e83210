package rest

import (
	"net/http"
	"net/netip"
	"time"
)

// Impatient makes the server wait for slow clients only as long as a test does.
func (s *Server) Impatient(d time.Duration) {
	s.patience = patience{body: d, stall: d, start: time.Hour}
}

// Routes lists every route as "METHOD template".
func (s *Server) Routes() []string {
	var all []string
	for _, r := range s.echo.Routes() {
		all = append(all, r.Method+" "+r.Path)
	}
	return all
}

// StatusOf is the status that err is answered with.
func StatusOf(err error) (status int, what, why string) {
	f := failureOf(err)
	return f.status, f.what, f.why
}

// Disposition is disposition.
var Disposition = disposition

// ClientOf tells who asks where some proxies are trusted.
func ClientOf(trusted []netip.Prefix, r *http.Request) netip.Addr { return proxies(trusted).client(r) }

// Download makes of w what the bytes of a file are written to.
func (s *Server) Download(w http.ResponseWriter) http.ResponseWriter { return s.newDownload(w) }
