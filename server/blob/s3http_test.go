package blob

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestS3ServesRanges downloads as the server does, by http.ServeContent, and
// counts what came from S3.
func TestS3ServesRanges(t *testing.T) {
	const size = 32 << 20
	cfg := s3Config(t)
	tr := seen(&cfg)
	s := openS3Test(t, cfg)
	tr.requests.Store(0)
	key, err := s.Put(t.Context(), noise(size))
	if err != nil {
		t.Fatal(err)
	}
	if n := tr.requests.Load(); n != 1+7+1 { // begin, parts of 5 MiB, end
		t.Errorf("the upload took %d requests, want 9", n)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := s.Open(r.Context(), key)
		if err != nil {
			t.Error(err)
			return
		}
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Etag", `"tag"`)
		http.ServeContent(w, r, "", time.Time{}, f)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}))
	defer srv.Close()
	for _, c := range []struct {
		header, value  string
		status         int
		from, to, most int64 // which bytes are wanted, and how many S3 may send
	}{
		{"", "", 200, 0, size, size},
		{"Range", "bytes=0-0", 206, 0, 1, size / 2},
		{"Range", "bytes=20000000-20000999", 206, 20_000_000, 20_001_000, size / 2},
		{"Range", "bytes=-7", 206, size - 7, size, 7},
		{"Range", fmt.Sprintf("bytes=%d-", size-1000), 206, size - 1000, size, 1000},
		{"Range", fmt.Sprintf("bytes=%d-", size), 416, 0, 0, 0},
		{"If-None-Match", `"tag"`, 304, 0, 0, 0},
	} {
		tr.received.Store(0)
		tr.requests.Store(0)
		resp := fetch(t, srv, c.header, c.value)
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s: status %d, want %d", c.header, c.value, resp.StatusCode, c.status)
		}
		if c.to > 0 {
			want := noise(c.to)
			if _, err := io.CopyN(io.Discard, want, c.from); err != nil {
				t.Fatal(err)
			}
			equal(t, resp.Body, want)
		}
		_ = resp.Body.Close()
		if n := tr.received.Load(); n > c.most {
			t.Errorf("%s: %s: %d bytes came from S3, want at most %d", c.header, c.value, n, c.most)
		}
		if n := tr.requests.Load(); n > 2 {
			t.Errorf("%s: %s: %d requests, want 2 at most", c.header, c.value, n)
		}
	}
}

func fetch(t *testing.T, srv *httptest.Server, header, value string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != "" {
		req.Header.Set(header, value)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestS3OverTLS has a proxy speak TLS for the server, by a certificate that
// nobody knows.
func TestS3OverTLS(t *testing.T) {
	cfg := s3Config(t)
	target, err := url.Parse(cfg.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host // and the Host that was signed
	}})
	defer srv.Close()
	cfg.Endpoint, cfg.PathStyle = srv.URL, new(true)
	authority, empty := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	if err := errors.Join(os.WriteFile(authority, pem.EncodeToMemory(block), 0o600), os.WriteFile(empty, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	for ca, want := range map[string]string{"": "ca=FILE", empty: "ca: ", "/nowhere": "ca: "} {
		cfg.CA = ca
		if _, err := OpenS3(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ca %q: %v does not say %s", ca, err, want)
		}
	}
	for _, believe := range []func(*S3Config){
		func(c *S3Config) { c.CA = authority },
		func(c *S3Config) { c.CA, c.Insecure = "", true },
	} {
		believe(&cfg)
		s := openS3Test(t, cfg)
		works(t, s)
		expectNothing(t, s)
		key, err := s.Put(t.Context(), noise(1))
		if err := errors.Join(err, s.Delete(t.Context(), key)); err != nil {
			t.Error(err)
		}
	}
}
