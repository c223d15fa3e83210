package page

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

const (
	indexName = "index.html"
	ownPrefix = "/app/" // in index.html, before the names of files
)

// A Config describes a Site.
type Config struct {
	// Index is the path of the page, and Files the path of the folder of its other
	// files. Both begin and end with a slash.
	Index, Files string
	// Layers hold the files by name. If two layers have a file of the same name, the
	// later layer wins. One of them must have index.html.
	Layers []fs.FS
	// Made holds further files by name. They win over those of Layers.
	Made map[string][]byte
	// Media allows the page to show and play media that it has loaded (blob: URLs),
	// and to ask for the camera and the microphone.
	Media bool
}

// A Site serves a page. It is safe for concurrent use.
type Site struct {
	at     string // the page's path
	index  *file
	assets map[string]*file  // by path
	policy map[string]string // headers of every answer
}

// New reads and hashes the files. Each is compressed at the first request that accepts
// gzip. New fails if no layer has index.html, or if it knows no content type for a file.
func New(cfg Config) (*Site, error) {
	sources, err := read(cfg)
	if err != nil {
		return nil, err
	}
	s := &Site{at: cfg.Index, assets: make(map[string]*file), policy: policy(cfg.Media)}
	base := cfg.Files + version(sources) + "/"
	for name, text := range sources {
		if name == indexName {
			continue
		}
		if s.assets[base+name], err = newFile(name, text, "public, max-age=31536000, immutable"); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	s.index, err = newFile(indexName, index(sources, base), "no-cache") // browsers revalidate it each time; the answer is mostly 304
	return s, err
}

// read returns all files by name.
func read(cfg Config) (map[string][]byte, error) {
	sources := make(map[string][]byte)
	for _, files := range cfg.Layers {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			sources[name], err = fs.ReadFile(files, name)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	maps.Copy(sources, cfg.Made)
	if sources[indexName] == nil {
		return nil, errors.New("no layer has " + indexName)
	}
	return sources, nil
}

// version is a hash of all files.
func version(sources map[string][]byte) string {
	hash := sha256.New()
	for _, name := range sorted(sources) {
		fmt.Fprintf(hash, "%s %d\n", name, len(sources[name]))
		hash.Write(sources[name])
	}
	return hex.EncodeToString(hash.Sum(nil)[:8])
}

// index returns index.html with the paths of the other files. It has a link for
// every module, so that the browser fetches them all at once and not one import
// after the other.
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
	page := bytes.ReplaceAll(sources[indexName], []byte(ownPrefix), []byte(base))
	return bytes.Replace(page, []byte("<!-- files -->\n"), []byte(preload.String()), 1)
}

// ServeHTTP answers GET and HEAD requests for the page and its files.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f := s.assets[r.URL.Path]
	if r.URL.Path == s.at {
		f = s.index
	}
	header := w.Header()
	for name, value := range s.policy {
		header.Set(name, value)
	}
	if f == nil {
		http.Error(w, "This file does not exist. If the page does not work, reload it: the server may have a newer version.", http.StatusNotFound)
		return
	}
	body, etag := f.plain, f.etag
	header.Set("Vary", "Accept-Encoding")
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		if zipped := f.zipped(); zipped != nil {
			body, etag = zipped, f.etag+"-gzip"
			header.Set("Content-Encoding", "gzip")
			header.Set("Content-Length", strconv.Itoa(len(body)))
		}
	}
	header.Set("Content-Type", f.contentType)
	header.Set("Cache-Control", f.caching)
	header.Set("Etag", `"`+etag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// policy returns the security headers. Browsers then load nothing from other
// hosts, run no inline script, and turn no text into markup (Trusted Types).
func policy(media bool) map[string]string {
	blobs, devices := "", "()"
	if media {
		blobs, devices = " blob:", "(self)"
	}
	return map[string]string{
		"Content-Security-Policy": strings.Join([]string{
			"default-src 'none'",
			"script-src 'self'",
			"style-src 'self'",
			"img-src 'self'" + blobs,
			"media-src 'self'" + blobs,
			"connect-src 'self'",
			"base-uri 'none'",
			"form-action 'none'",
			"frame-ancestors 'none'",
			"require-trusted-types-for 'script'",
			"trusted-types 'none'",
		}, "; "),
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Permissions-Policy":           "camera=" + devices + ", microphone=" + devices + ", display-capture=(), geolocation=(), payment=(), usb=()",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
}
