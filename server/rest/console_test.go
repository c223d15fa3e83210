package rest_test

import (
	"net/http"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// The console gets each path below /admin/ unchanged. Its files are relative to /admin/, so /admin without the slash
// redirects there.
func TestConsole(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("console " + r.URL.Path)) })
	})
	for path, want := range map[string]string{
		"/admin/":               "console /admin/",
		"/admin/nodes":          "console /admin/nodes",
		"/admin/app/x/main.js":  "console /admin/app/x/main.js",
		"/admin/?user=3&page=2": "console /admin/",
	} {
		if got := w.do("GET", path, "", nil); got.status != 200 || string(got.body) != want {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	if got := w.do("GET", "/admin", "", nil); got.status != http.StatusFound || got.header.Get("Location") != "/admin/" {
		t.Errorf("/admin: %d to %q, want %d to /admin/", got.status, got.header.Get("Location"), http.StatusFound)
	}
	open(t).do("GET", "/admin/", "", nil).want(404)
}
