package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/imclient"
	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server"
)

// TestFilesOnS3 shares a file that is kept in a bucket.
func TestFilesOnS3(t *testing.T) {
	endpoint, bucket := needs.S3(t)
	a := start(t, func(c *server.Config) { c.Blob = "s3://" + bucket + "?endpoint=" + url.QueryEscape(endpoint) })
	alice, bob := a.register(t, "10001", "alice"), a.register(t, "10002", "bob")
	content := strings.Repeat("many bytes ", 1_000_000) // more than one part
	file := decode[struct{ Data struct{ ID int64 } }](t,
		alice.do(t, http.StatusCreated, "POST", "/api/files/upload", imclient.File{Name: "a.txt", Content: []byte(content)})).Data.ID
	bob.do(t, http.StatusNotFound, "GET", "/api/files/:id/download", nil, file)
	alice.send(t, map[string]any{"receiver_id": bob.id, "message_type": "file", "file_id": file})
	if got := bob.do(t, http.StatusOK, "GET", "/api/files/:id/download", nil, file); string(got) != content {
		t.Errorf("%d bytes came back, want %d", len(got), len(content))
	}
	if status, body := a.call(t, "", "GET", "/readyz", nil); status != http.StatusOK || !strings.Contains(string(body), `"files":"ok"`) {
		t.Errorf("/readyz: %d %s", status, body)
	}
	p := a.scrape(t)
	if p.samples["im_upload_bytes_total"] != float64(len(content)) || p.sum("http_client_request_duration_seconds") == 0 {
		t.Errorf("%v bytes, %v calls of S3 are counted", p.samples["im_upload_bytes_total"], p.sum("http_client_request_duration_seconds"))
	}
}
