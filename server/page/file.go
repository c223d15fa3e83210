package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A file is a file in the form in which it is served.
type file struct {
	contentType, caching, etag string
	plain                      []byte
	zipped                     func() []byte // compresses at the first call, once; returns nil if that would not be smaller
}

// contentTypes holds the types by extension. Package mime depends on the machine's
// configuration.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".mjs":  "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
	".json": "application/json",
}

func newFile(name string, text []byte, caching string) (*file, error) {
	contentType, ok := contentTypes[path.Ext(name)]
	if !ok {
		return nil, fmt.Errorf("no content type for %q: add it to contentTypes", path.Ext(name))
	}
	hash := sha256.Sum256(text)
	return &file{
		contentType: contentType, caching: caching, etag: hex.EncodeToString(hash[:8]), plain: text,
		zipped: sync.OnceValue(func() []byte { return compress(text) }),
	}, nil
}

// compress returns nil if the text does not become smaller.
func compress(text []byte) []byte {
	var buf bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // fails for unknown levels
	_, _ = zip.Write(text)                                    // a Buffer takes everything
	_ = zip.Close()
	if buf.Len() >= len(text) {
		return nil
	}
	return buf.Bytes()
}

// takesGzip reads an Accept-Encoding header (RFC 9110, section 12.5.3).
func takesGzip(header string) bool {
	for each := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(each, ";")
		if !strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			continue
		}
		weight, given := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q=")
		q, err := strconv.ParseFloat(weight, 64)
		return !given || err == nil && q > 0
	}
	return false
}

func sorted(sources map[string][]byte) []string { return slices.Sorted(maps.Keys(sources)) }
