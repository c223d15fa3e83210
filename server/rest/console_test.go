package rest_test

import (
	"net/http"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// The console's page is at a path that ends with a slash: what it asks for is
// relative to it.
func TestConsole(t *testing.T) {
	w := open(t, func(_ *chat.Config, rc *rest.Config) {
		rc.Console = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("console " + r.URL.Path)) })
	})
	for path, want := range map[string]string{"/admin/": "console /admin/", "/admin/nodes": "console /admin/nodes", "/admin/app/x/main.js": "console /admin/app/x/main.js"} {
		if got := w.do("GET", path, "", nil).want(200); string(got.body) != want {
			t.Errorf("%s: %s", path, got.body)
		}
	}
	if got := w.do("GET", "/admin", "", nil); got.status != 302 && string(got.body) != "console /admin/" {
		t.Errorf("/admin: %d %s", got.status, got.body)
	}
	open(t).do("GET", "/admin/", "", nil).want(404)
}
