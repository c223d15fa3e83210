// Package pagetest is a test suite for every page: security headers, caching,
// compression, size. Call [Run] with the page's site.
package pagetest

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A Page is a site and what the suite needs to know about it.
type Page struct {
	Site  http.Handler
	Index string // its path
	Files string // the beginning of its files' paths
	Media bool   // whether it may use the camera and the microphone
	Most  int    // largest size of all its files together, compressed, in bytes
	Own   fs.FS  // the files that this project wrote
}

// Run runs the suite.
func Run(t *testing.T, p Page) {
	t.Run("policy", p.policy)
	t.Run("nothing inline", p.nothingInline)
	t.Run("caching", p.caching)
	t.Run("compression", p.compression)
	t.Run("HEAD", p.head)
	t.Run("types", p.types)
	t.Run("unknown paths", p.unknownPaths)
	t.Run("size", p.size)
	t.Run("no markup", p.noMarkup)
}

func (p Page) get(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	p.Site.ServeHTTP(w, r)
	return w
}

var linked = regexp.MustCompile(`(?:href|src)="([^"]+)"`)

// files returns the paths in the page's links.
func (p Page) files(t *testing.T) (paths []string) {
	t.Helper()
	seen := make(map[string]bool)
	for _, m := range linked.FindAllStringSubmatch(p.get(t, "GET", p.Index).Body.String(), -1) {
		if !strings.HasPrefix(m[1], p.Files) {
			t.Errorf("the page names %s, which is not below %s", m[1], p.Files)
		}
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

func (p Page) policy(t *testing.T) {
	for _, path := range []string{p.Index, p.files(t)[0], p.Files + "nothing"} {
		h := p.get(t, "GET", path).Header()
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
		devices := "camera=(), microphone=()"
		if p.Media {
			devices = "camera=(self), microphone=(self)"
		}
		if got := h.Get("Permissions-Policy"); !strings.Contains(got, devices) {
			t.Errorf("%s: Permissions-Policy is %q", path, got)
		}
	}
}

// The policy forbids inline scripts and styles, so the page must have none.
func (p Page) nothingInline(t *testing.T) {
	page := p.get(t, "GET", p.Index).Body.String()
	if m := regexp.MustCompile(`<style|style=|\son\w+=|<script[^>]*>[^<]`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
}

func (p Page) caching(t *testing.T) {
	for path, want := range map[string]string{p.Index: "no-cache", p.files(t)[0]: "public, max-age=31536000, immutable"} {
		res := p.get(t, "GET", path)
		if got := res.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, want)
		}
		etag := res.Header().Get("Etag")
		if again := p.get(t, "GET", path, "If-None-Match", etag); etag == "" || again.Code != 304 || again.Body.Len() != 0 {
			t.Errorf("%s with its ETag %q: %d, want 304", path, etag, again.Code)
		}
		if got := res.Header().Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("%s: Vary is %q", path, got)
		}
	}
}

func (p Page) compression(t *testing.T) {
	plain, zipped := p.get(t, "GET", p.Index), p.get(t, "GET", p.Index, "Accept-Encoding", "br, gzip;q=0.8")
	if zipped.Header().Get("Content-Encoding") != "gzip" || zipped.Header().Get("Etag") == plain.Header().Get("Etag") {
		t.Errorf("compressed: %v", zipped.Header())
	}
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(text, plain.Body.Bytes()) {
		t.Errorf("compressed and plain differ (%v)", err)
	}
	for _, no := range []string{"", "identity", "gzip;q=0", "gzipped"} {
		if got := p.get(t, "GET", p.Index, "Accept-Encoding", no).Header().Get("Content-Encoding"); got != "" {
			t.Errorf("Accept-Encoding %q: %s", no, got)
		}
	}
}

func (p Page) head(t *testing.T) {
	for _, encoding := range []string{"", "gzip"} {
		full, head := p.get(t, "GET", p.Index, "Accept-Encoding", encoding), p.get(t, "HEAD", p.Index, "Accept-Encoding", encoding)
		if length := head.Header().Get("Content-Length"); head.Code != 200 || length != strconv.Itoa(full.Body.Len()) || head.Body.Len() != 0 {
			t.Errorf("HEAD with %q: %d, Content-Length %s, want %d", encoding, head.Code, length, full.Body.Len())
		}
	}
}

func (p Page) types(t *testing.T) {
	want := map[string]string{".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	for _, path := range p.files(t) {
		res := p.get(t, "GET", path)
		if got := res.Header().Get("Content-Type"); res.Code != 200 || !strings.HasPrefix(got, want[filepath.Ext(path)]) {
			t.Errorf("%s: %d, %s", path, res.Code, got)
		}
	}
}

func (p Page) unknownPaths(t *testing.T) {
	for _, path := range []string{p.Files, p.Files + "main.js", p.Files + "../site.go", p.Index + "index.html", p.files(t)[0] + "/x", p.Files + "0123456789abcdef/main.js"} {
		if got := p.get(t, "GET", path).Code; got != 404 {
			t.Errorf("%s: %d, want 404", path, got)
		}
	}
}

// size limits the page to what a slow phone loads in a second or two.
func (p Page) size(t *testing.T) {
	total := 0
	for _, path := range append(p.files(t), p.Index) {
		total += p.get(t, "GET", path, "Accept-Encoding", "gzip").Body.Len()
	}
	t.Logf("%d bytes compressed", total)
	if total > p.Most {
		t.Errorf("%d bytes compressed, want %d at most", total, p.Most)
	}
}

func (p Page) noMarkup(t *testing.T) { NoMarkup(t, p.Own) }

// NoMarkup fails the test if one of this project's files has code that turns text
// into markup.
func NoMarkup(t *testing.T, own fs.FS) {
	t.Helper()
	err := fs.WalkDir(own, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(name, "vendor/") {
			return err
		}
		text, err := fs.ReadFile(own, name)
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
