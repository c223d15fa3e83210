package cli

import (
	"strings"
	"testing"
)

// TestVersionOfARelease sets what the linker sets.
func TestVersionOfARelease(t *testing.T) {
	defer func(r, c string) { release, commit = r, c }(release, commit)
	release, commit = "1.2.3", "0123456789abcdef"
	if got := Line("imx"); Version() != "1.2.3" || !strings.HasPrefix(got, "imx 1.2.3 (commit 0123456789ab, go1.") || !strings.HasSuffix(got, ")") {
		t.Errorf("%s, %s", Version(), got)
	}
	release, commit = "", ""
	if got := Line("imx"); Version() == "" || !strings.HasPrefix(got, "imx "+Version()+" (commit ") {
		t.Errorf("%q, %s", Version(), got)
	}
}
