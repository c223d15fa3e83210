package page_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestVendor compares the libraries with the hashes that were written down when
// they came from npm. make web-vendor compares them with npm.
func TestVendor(t *testing.T) {
	for _, dir := range []string{"kit/vendor", "plot/vendor"} {
		vendored(t, dir)
	}
}

func vendored(t *testing.T, dir string) {
	t.Helper()
	list, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Errorf("%s has no hashes", dir)
	}
	for line := range strings.Lines(string(list)) {
		want, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s was changed: make web-vendor", name)
		}
	}
}
