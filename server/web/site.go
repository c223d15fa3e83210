package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed app/*.html app/*.js app/*.svg app/css/*.css app/state/*.js app/ui/*.js app/vendor/*
var embedded embed.FS

const (
	root      = "app"
	indexName = "index.html"
	prefix    = "/app/"
)

// A Site serves the client. It is safe for concurrent use.
type Site struct {
	index  *file
	assets map[string]*file // by path
}

// New compresses and hashes the files that were compiled in.
func New() (*Site, error) { return open(embedded) }

func open(files fs.FS) (*Site, error) {
	sources, version, err := read(files)
	if err != nil {
		return nil, fmt.Errorf("web client: %w", err)
	}
	s := &Site{assets: make(map[string]*file)}
	base := prefix + version + "/"
	for name, text := range sources {
		if name == indexName {
			continue
		}
		if s.assets[base+name], err = newFile(name, text, "public, max-age=31536000, immutable"); err != nil {
			return nil, fmt.Errorf("web client: %s: %w", name, err)
		}
	}
	page := index(sources, base)
	s.index, err = newFile(indexName, page, "no-cache") // it is asked for each time, and seldom sent
	return s, err
}

// read returns the files by name, and a hash of all of them.
func read(files fs.FS) (sources map[string][]byte, version string, err error) {
	sources, hash := make(map[string][]byte), sha256.New()
	err = fs.WalkDir(files, root, func(name string, d fs.DirEntry, err error) error { // in the order of names
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		sources[strings.TrimPrefix(name, root+"/")] = text
		fmt.Fprintf(hash, "%s %d\n", name, len(text))
		hash.Write(text)
		return nil
	})
	return sources, hex.EncodeToString(hash.Sum(nil)[:8]), err
}

// index puts into the page where the other files are. Every module is named, so
// that the browser fetches them at once and not one import after the other.
func index(sources map[string][]byte, base string) []byte {
	var preload strings.Builder
	for _, name := range sorted(sources) {
		switch path.Ext(name) {
		case ".js", ".mjs":
			fmt.Fprintf(&preload, "<link rel=\"modulepreload\" href=\"%s%s\">\n", base, name)
		case ".css":
			fmt.Fprintf(&preload, "<link rel=\"stylesheet\" href=\"%s%s\">\n", base, name)
		}
	}
	page := bytes.ReplaceAll(sources[indexName], []byte(prefix), []byte(base))
	return bytes.Replace(page, []byte("<!-- files -->\n"), []byte(preload.String()), 1)
}

// ServeHTTP answers GET and HEAD of / and of what is below /app/.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.assets[r.URL.Path]
	if r.URL.Path == "/" {
		f = s.index
	}
	header := w.Header()
	for name, value := range policy {
		header.Set(name, value)
	}
	if f == nil {
		http.Error(w, "There is no such file. If the page does not work, reload it: the server may have a newer version.", http.StatusNotFound)
		return
	}
	body, etag := f.plain, f.etag
	header.Set("Vary", "Accept-Encoding")
	if f.zipped != nil && takesGzip(r.Header.Get("Accept-Encoding")) {
		body, etag = f.zipped, f.etag+"-gzip"
		header.Set("Content-Encoding", "gzip")
		header.Set("Content-Length", strconv.Itoa(len(body)))
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.caching)
	header.Set("Etag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// policy is what browsers are told to refuse. Nothing may come from elsewhere,
// nothing inline is run, and no text can become markup (Trusted Types).
var policy = map[string]string{
	"Content-Security-Policy": strings.Join([]string{
		"default-src 'none'",
		"script-src 'self'",
		"style-src 'self'",
		"img-src 'self' blob:",
		"media-src 'self' blob:",
		"connect-src 'self'",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; "),
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Permissions-Policy":           "camera=(self), microphone=(self), display-capture=(), geolocation=(), payment=(), usb=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}
