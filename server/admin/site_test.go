package admin_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/deploy"
	"github.com/onemeter/onemeter/server/admin"
	"github.com/onemeter/onemeter/server/page/pagetest"
)

func site(t *testing.T, index string) http.Handler {
	t.Helper()
	s, err := admin.New(admin.Config{Index: index, Files: index + "app/", Runbook: deploy.Runbook, Nodes: func(*http.Request) []admin.Node {
		return []admin.Node{{Name: "one", Up: true}, {Name: "two", Why: "away"}}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestPage(t *testing.T) {
	for _, index := range []string{"/", "/admin/"} {
		t.Run(index, func(t *testing.T) {
			pagetest.Run(t, pagetest.Page{
				Site: site(t, index), Index: index, Files: index + "app/", Own: os.DirFS("app"),
				Most: 130 << 10, // with the chat client's 120 KiB, 250
			})
		})
	}
}

func TestNodes(t *testing.T) {
	var got struct{ Nodes []admin.Node }
	if err := json.Unmarshal(get(t, site(t, "/admin/"), "/admin/nodes").Body.Bytes(), &got); err != nil || len(got.Nodes) != 2 || got.Nodes[1].Why != "away" {
		t.Errorf("%+v %v", got, err)
	}
}

// TestRunbook checks that runbook.json has a paragraph for every alert of the rules.
func TestRunbook(t *testing.T) {
	s := site(t, "/")
	page := get(t, s, "/").Body.String()
	base := regexp.MustCompile(`/app/[0-9a-f]{16}/`).FindString(page)
	var paragraphs map[string]string
	if err := json.Unmarshal(get(t, s, base+"runbook.json").Body.Bytes(), &paragraphs); err != nil {
		t.Fatal(err)
	}
	rules, err := os.ReadFile("../../deploy/prometheus/rules/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)- alert: (\w+)`).FindAllStringSubmatch(string(rules), -1)
	if len(names) < 10 {
		t.Fatalf("only %d alerts found in alerts.yml", len(names))
	}
	for _, m := range names {
		if said := paragraphs[m[1]]; len(said) < 50 || strings.HasPrefix(said, "#") {
			t.Errorf("runbook.json has for alert %s: %q", m[1], said)
		}
	}
}
