package web_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/web"
)

func site(t *testing.T) *web.Site {
	t.Helper()
	s, err := web.New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func get(t *testing.T, s *web.Site, method, path string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) []byte {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var linked = regexp.MustCompile(`(?:href|src)="(/app/[^"]+)"`)

// files are the paths that the page names.
func files(t *testing.T, s *web.Site) (paths []string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, m := range linked.FindAllStringSubmatch(string(body(t, get(t, s, "GET", "/"))), -1) {
		if !seen[m[1]] {
			paths = append(paths, m[1])
		}
		seen[m[1]] = true
	}
	if len(paths) < 10 {
		t.Fatalf("the page names %d files", len(paths))
	}
	return paths
}

func TestPolicy(t *testing.T) {
	s := site(t)
	for _, path := range []string{"/", files(t, s)[0], "/app/nothing"} {
		h := get(t, s, "GET", path).Header
		csp := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "connect-src 'self';", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %s: %s", path, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if got := h.Get("Permissions-Policy"); !strings.Contains(got, "camera=(self), microphone=(self)") {
			t.Errorf("%s: Permissions-Policy is %q", path, got)
		}
	}
}

// The policy runs nothing that is written into the page.
func TestNothingInline(t *testing.T) {
	page := string(body(t, get(t, site(t), "GET", "/")))
	if m := regexp.MustCompile(`<style|style=|\son\w+=|<script[^>]*>[^<]`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
}

func TestCaching(t *testing.T) {
	s := site(t)
	for path, want := range map[string]string{"/": "no-cache", files(t, s)[0]: "public, max-age=31536000, immutable"} {
		res := get(t, s, "GET", path)
		if got := res.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
		etag := res.Header.Get("Etag")
		if again := get(t, s, "GET", path, "If-None-Match", etag); etag == "" || again.StatusCode != 304 || len(body(t, again)) != 0 {
			t.Errorf("%s with its ETag %q: %d, want 304", path, etag, again.StatusCode)
		}
		if got := res.Header.Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("%s: Vary is %q", path, got)
		}
	}
}

func TestCompression(t *testing.T) {
	s := site(t)
	plain, zipped := get(t, s, "GET", "/"), get(t, s, "GET", "/", "Accept-Encoding", "br, gzip;q=0.8")
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Etag") == plain.Header.Get("Etag") {
		t.Errorf("compressed: %v", zipped.Header)
	}
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(text, body(t, plain)) {
		t.Errorf("compressed and plain differ (%v)", err)
	}
	for _, no := range []string{"", "identity", "gzip;q=0", "gzipped"} {
		if got := get(t, s, "GET", "/", "Accept-Encoding", no).Header.Get("Content-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q: %s", no, got)
		}
	}
}

func TestHead(t *testing.T) {
	s := site(t)
	for _, encoding := range []string{"", "gzip"} {
		full, head := get(t, s, "GET", "/", "Accept-Encoding", encoding), get(t, s, "HEAD", "/", "Accept-Encoding", encoding)
		if head.StatusCode != 200 || head.ContentLength != int64(len(body(t, full))) || len(body(t, head)) != 0 {
			t.Errorf("HEAD with %q: %d, %d bytes", encoding, head.StatusCode, head.ContentLength)
		}
	}
}

func TestTypes(t *testing.T) {
	s := site(t)
	want := map[string]string{".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	for _, path := range files(t, s) {
		res := get(t, s, "GET", path)
		if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, want[filepath.Ext(path)]) {
			t.Errorf("%s: %d, %s", path, res.StatusCode, got)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	s := site(t)
	for _, path := range []string{"/app/", "/app/main.js", "/app/../site.go", "/index.html", files(t, s)[0] + "/x", "/app/0123456789abcdef/main.js"} {
		if got := get(t, s, "GET", path).StatusCode; got != 404 {
			t.Errorf("%s: %d, want 404", path, got)
		}
	}
}

// TestSize holds the client to what a slow telephone loads in a second or two.
func TestSize(t *testing.T) {
	const most = 120 << 10
	s := site(t)
	total := 0
	for _, path := range append(files(t, s), "/") {
		total += len(body(t, get(t, s, "GET", path, "Accept-Encoding", "gzip")))
	}
	t.Logf("%d bytes compressed", total)
	if total > most {
		t.Errorf("%d bytes compressed, want %d at most", total, most)
	}
}

// TestVendor compares the libraries with the hashes that were written down when
// they came from npm. make web-vendor compares them with npm.
func TestVendor(t *testing.T) {
	const dir = "app/vendor"
	list, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS.txt"))
	if err != nil {
		t.Fatal(err)
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

// TestNoMarkup looks for what would turn a text into markup, in our own files.
func TestNoMarkup(t *testing.T) {
	err := filepath.WalkDir("app", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(name, "app/vendor") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, bad := range []string{"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "dangerouslySetInnerHTML", "DOMParser"} {
			if bytes.Contains(text, []byte(bad)) {
				t.Errorf("%s has %s", name, bad)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
