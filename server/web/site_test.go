package web_test

import (
	"os"
	"testing"

	"github.com/onemeter/onemeter/server/page"
	"github.com/onemeter/onemeter/server/page/pagetest"
	"github.com/onemeter/onemeter/server/web"
)

func TestPage(t *testing.T) {
	site, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	pagetest.Run(t, pagetest.Page{
		Site: site, Index: "/", Files: "/app/", Media: true, Own: os.DirFS("app"),
		Most: 120 << 10, // a slow phone loads it in a second or two
	})
}

// TestNoMarkupInTheKit checks the files that all pages share in the same way.
func TestNoMarkupInTheKit(t *testing.T) {
	pagetest.NoMarkup(t, page.Kit())
}
