package rest

import (
	"net/http"
	"net/netip"
	"time"
)

// Impatient shortens the times that the server waits for slow clients.
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

// StatusOf returns the status and the texts with which err is answered.
func StatusOf(err error) (status int, what, why string) {
	f := failureOf(err)
	return f.status, f.what, f.why
}

// Disposition exports disposition.
var Disposition = disposition

// ClientOf returns the client of a request if the given proxies are trusted.
func ClientOf(trusted []netip.Prefix, r *http.Request) netip.Addr { return proxies(trusted).client(r) }

// Download wraps w as the handler of downloads does.
func (s *Server) Download(w http.ResponseWriter) http.ResponseWriter { return s.newDownload(w) }
