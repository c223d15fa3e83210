package rest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http/httptest"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/rest"
)

// form makes a multipart body with one file in it, and its Content-Type.
func form(t testing.TB, field, name, contentType, content string) (body *bytes.Buffer, ct string) {
	t.Helper()
	body = &bytes.Buffer{}
	mw := multipart.NewWriter(body)
	must(t, mw.WriteField("comment", "skipped"))
	head := textproto.MIMEHeader{}
	head.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, field, name))
	head.Set("Content-Type", contentType)
	part, err := mw.CreatePart(head)
	must(t, err)
	_, err = io.WriteString(part, content)
	must(t, err)
	must(t, mw.Close())
	return body, mw.FormDataContentType()
}

func (w *world) upload(u user, name, contentType, content string) reply {
	w.Helper()
	body, ct := form(w, "file", name, contentType, content)
	return w.do("POST", "/api/files/upload", u.token, body, "Content-Type", ct)
}

func TestUploadAndDownload(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	content := strings.Repeat("0123456789", 10_000)
	up := w.upload(ann, "numbers.txt", "text/plain", content).want(201)
	sum := sha256.Sum256([]byte(content))
	if text(up.at("data", "sha256")) != hex.EncodeToString(sum[:]) || up.num("data", "size") != int64(len(content)) ||
		text(up.at("data", "name")) != "numbers.txt" || text(up.at("data", "content_type")) != "text/plain" {
		t.Fatalf("answer %s", up.body)
	}
	path := text(up.at("data", "url"))
	if want := fmt.Sprintf("/api/files/%d/download", up.num("data", "id")); path != want {
		t.Fatalf("url %s, want %s", path, want)
	}
	down := w.do("GET", path, ann.token, nil)
	if down.status != 200 || string(down.body) != content {
		t.Fatalf("status %d, %d bytes", down.status, len(down.body))
	}
	for name, want := range map[string]string{
		"Content-Type": "text/plain", "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache",
		"Content-Disposition":     `attachment; filename="numbers.txt"; filename*=UTF-8''numbers.txt`,
		"Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
		"Etag":                    `"` + hex.EncodeToString(sum[:]) + `"`,
	} {
		if got := down.header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestDownloadOfARange(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	up := w.upload(ann, "n.txt", "text/plain", "0123456789").want(201)
	path, etag := text(up.at("data", "url")), `"`+text(up.at("data", "sha256"))+`"`
	for _, c := range []struct {
		method, name, value string
		status              int
		body                string
	}{
		{"GET", "Range", "bytes=2-4", 206, "234"},
		{"GET", "Range", "bytes=-3", 206, "789"},
		{"GET", "If-None-Match", etag, 304, ""},
		{"GET", "If-Match", `"another"`, 412, ""},
		{"GET", "Range", "bytes=50-60", 416, ""},
		{"GET", "Range", "bananas", 416, ""},
		{"HEAD", "Accept", "*/*", 200, ""},
		{"HEAD", "Range", "bytes=50-60", 416, ""},
	} {
		r := w.do(c.method, path, ann.token, nil, c.name, c.value)
		if r.status != c.status {
			t.Errorf("%s %s: status %d, want %d", c.name, c.value, r.status, c.status)
		}
		if c.status >= 400 {
			r.want(c.status)
		} else if string(r.body) != c.body {
			t.Errorf("%s %s: %q", c.name, c.value, r.body)
		}
	}
	if head := w.do("HEAD", path, ann.token, nil); head.header.Get("Content-Length") != "10" {
		t.Errorf("HEAD tells %s bytes", head.header.Get("Content-Length"))
	}
}

// Only the uploader and the members of a conversation that a file was sent to can see it and send it.
func TestFilesAreForThoseTheyWereSentTo(t *testing.T) {
	w := open(t)
	ann, ben, eve := w.join("ann"), w.join("ben"), w.join("eve")
	up := w.upload(ann, "secret.txt", "text/plain", "for ben").want(201)
	id := up.num("data", "id")
	meta, down := fmt.Sprintf("/api/files/%d", id), text(up.at("data", "url"))
	for _, u := range []user{ben, eve} {
		w.do("GET", meta, u.token, nil).want(404)
		w.do("GET", down, u.token, nil).want(404)
		w.do("POST", "/api/messages", u.token, m{"receiver_id": ann.id, "message_type": "file", "file_id": id}).want(404)
	}
	w.do("GET", down, "", nil).want(401)
	w.do("POST", "/api/messages", ann.token, m{"receiver_id": ben.id, "message_type": "file", "file_id": id}).want(200)
	w.do("GET", meta, ben.token, nil).want(200)
	if r := w.do("GET", down, ben.token, nil); r.status != 200 || string(r.body) != "for ben" {
		t.Errorf("ben gets %d %s", r.status, r.body)
	}
	w.do("GET", meta, eve.token, nil).want(404)
	w.do("GET", down, eve.token, nil).want(404)
	w.do("GET", "/api/files/999999", ann.token, nil).want(404)
	w.do("GET", "/api/files/zero/download", ann.token, nil).want(400).says("id")
}

func TestFileNamesAreLabelsOnly(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	for name, want := range map[string]string{
		"../../etc/passwd": "passwd", `..\..\boot.ini`: "boot.ini", "..": "file", "": "file", "/": "file",
		"C:\\x\\photo.png": "photo.png", "..%2f..%2fx": "..%2f..%2fx",
		"übung 1.txt": "übung 1.txt", "evil\u202Etxt.exe": "eviltxt.exe",
	} {
		name = strings.ReplaceAll(name, `\`, `\\`) // as a client quotes it
		r := w.upload(ann, name, "text/html", "<script>").want(201)
		if got := text(r.at("data", "name")); got != want {
			t.Errorf("%q is called %q, want %q", name, got, want)
		}
		down := w.do("GET", text(r.at("data", "url")), ann.token, nil)
		kind, params, err := mime.ParseMediaType(down.header.Get("Content-Disposition"))
		if err != nil || kind != "attachment" || params["filename"] == "" {
			t.Errorf("%q: %q: %v", name, down.header.Get("Content-Disposition"), err)
		}
	}
}

func TestUploadsThatAreNone(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	good, ct := form(t, "file", "x", "text/plain", "content")
	other, otherType := form(t, "picture", "x", "text/plain", "content")
	boundary := ct[strings.Index(ct, "boundary="):]
	for name, c := range map[string]struct {
		body, ct, says string
		status         int
	}{
		"JSON":            {`{"file":"x"}`, "application/json", "multipart/form-data", 400},
		"no type":         {"x", "", "multipart/form-data", 400},
		"no boundary":     {good.String(), "multipart/form-data", "boundary", 400},
		"no such part":    {other.String(), otherType, "no part named file", 400},
		"wrong boundary":  {good.String(), "multipart/form-data; boundary=other", "", 400},
		"empty":           {"", ct, "", 400},
		"cut off":         {good.String()[:good.Len()-60], ct, "ended early", 400},
		"broken headers":  {"--" + boundary[9:] + "\r\n\xff\xff\r\n\r\nx", ct, "", 400},
		"bad disposition": {"--" + boundary[9:] + "\r\nContent-Disposition: ;;;\r\n\r\nx\r\n--" + boundary[9:] + "--\r\n", ct, "no part", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.do("POST", "/api/files/upload", ann.token, c.body, "Content-Type", c.ct)
			r.t = t
			r.want(c.status).says(c.says)
		})
	}
	w.do("POST", "/api/files/upload", "", good, "Content-Type", ct).want(401)
}

// A file name comes back unchanged, in every alphabet.
func TestFileNamesKeepTheirJoiners(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	for name, want := range map[string]string{
		"می\u200cخواهم.pdf": "می\u200cخواهم.pdf", "👩\u200d👧.png": "👩\u200d👧.png", "e\u202egpj.exe": "egpj.exe",
	} {
		up := w.upload(ann, name, "text/plain", "x").want(201)
		header := w.do("GET", text(up.at("data", "url")), ann.token, nil).header.Get("Content-Disposition")
		_, params, err := mime.ParseMediaType(header)
		if got := text(up.at("data", "name")); got != want || err != nil || params["filename"] != want {
			t.Errorf("%q is answered as %q, and sent as %q, %v", name, got, params["filename"], err)
		}
	}
}

// Each byte of a type that is not ASCII is stored as three bytes.
func TestTheTypeOfAPartIsCountedAsStored(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	w.upload(ann, "x", `a/b; x="`+strings.Repeat("é", 100)+`"`, "x").want(400).says("Content-Type has 6")
	w.upload(ann, "x", "a/"+strings.Repeat("b", 254), "x").want(400).says("at most 255")
	up := w.upload(ann, "x", `a/b; x="`+strings.Repeat("é", 30)+`"`, "x").want(201)
	if got := w.do("GET", text(up.at("data", "url")), ann.token, nil).header.Get("Content-Type"); got != text(up.at("data", "content_type")) {
		t.Errorf("sent as %s, answered %s", got, up.body)
	}
}

func TestUploadLimit(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	w.upload(ann, "fits", "text/plain", strings.Repeat("x", maxUpload)).want(201)
	w.upload(ann, "too large", "text/plain", strings.Repeat("x", maxUpload+1)).want(413)
	w.upload(ann, "far too large", "text/plain", strings.Repeat("x", 3<<20)).want(413)
	body, ct := form(t, "file", "chunked", "text/plain", strings.Repeat("x", maxUpload+1))
	w.do("POST", "/api/files/upload", ann.token, io.MultiReader(body), "Content-Type", ct).want(413)
	body, ct = form(t, "other", "skipped", "text/plain", strings.Repeat("x", maxUpload+(1<<20)))
	w.do("POST", "/api/files/upload", ann.token, io.MultiReader(body), "Content-Type", ct).want(413)
}

// An upload that stalls is cut off. One that goes on may take longer than other bodies.
func TestSlowUploads(t *testing.T) {
	w := open(t)
	ann := w.join("ann")
	w.server.Impatient(time.Second)
	body, ct := form(t, "file", "slow.txt", "text/plain", "0123456789")

	answer := w.trickle(ann, ct, body.Bytes(), body.Len(), 150*time.Millisecond)
	if !strings.HasPrefix(answer, "HTTP/1.1 201 ") {
		t.Errorf("an upload that moves: %s", answer)
	}
	answer = w.trickle(ann, ct, body.Bytes()[:20], body.Len(), time.Millisecond)
	if !strings.HasPrefix(answer, "HTTP/1.1 408 ") || !strings.Contains(answer, "too slowly") {
		t.Errorf("an upload that stands still: %s", answer)
	}
}

// trickle sends an upload in ten parts with pauses between them, over a TCP connection, and returns the answer.
func (w *world) trickle(u user, ct string, body []byte, promised int, pause time.Duration) string {
	w.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	must(w, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /api/files/upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"+
		"Content-Type: %s\r\nContent-Length: %d\r\n\r\n", u.token, ct, promised)
	must(w, err)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for part := range slices.Chunk(body, len(body)/10+1) {
		<-tick.C
		_, err := conn.Write(part)
		must(w, err)
	}
	answer, err := io.ReadAll(conn)
	must(w, err)
	return string(answer)
}

// A client that reads a byte now and then must not hold a connection and an open file for days. Downloads have the same
// minimum speed as uploads.
func TestDownloadsHaveASlowestSpeed(t *testing.T) {
	server := newWorld(t).server
	for _, c := range []struct {
		bytesASecond int
		cutOff       bool
	}{{100, true}, {4 << 10, true}, {7 << 10, true}, {9 << 10, false}, {1 << 20, false}} {
		synctest.Test(t, func(t *testing.T) {
			client := &reader{}
			out := server.Download(client)
			chunk := make([]byte, c.bytesASecond)
			for range 3600 {
				_, err := out.Write(chunk)
				must(t, err)
				if time.Sleep(time.Second); client.deadline.Before(time.Now()) {
					break // net/http would have closed the connection
				}
			}
			if cutOff := client.deadline.Before(time.Now()); cutOff != c.cutOff {
				t.Errorf("at %d bytes a second: cut off is %v", c.bytesASecond, cutOff)
			}
		})
	}
}

// A reader records the write deadlines that the server sets for a client.
type reader struct {
	httptest.ResponseRecorder
	deadline time.Time
}

func (r *reader) Write(p []byte) (int, error) { return len(p), nil }

func (r *reader) SetWriteDeadline(at time.Time) error {
	r.deadline = at
	return nil
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"a b.txt": `attachment; filename="a b.txt"; filename*=UTF-8''a%20b.txt`,
		`q"\;%`:   `attachment; filename="q____"; filename*=UTF-8''q%22%5C%3B%25`,
		"ü€.png":  `attachment; filename="__.png"; filename*=UTF-8''%C3%BC%E2%82%AC.png`,
		"a\r\nb":  `attachment; filename="a__b"; filename*=UTF-8''a%0D%0Ab`,
	} {
		if got := rest.Disposition(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
		if _, params, err := mime.ParseMediaType(rest.Disposition(name)); err != nil || params["filename"] != name {
			t.Errorf("%q is read back as %q, %v", name, params["filename"], err)
		}
	}
}

// TestFilesHaveQuotas uploads more than a user may have, and more than all users may have. A refused upload leaves
// nothing behind.
func TestFilesHaveQuotas(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) { c.Limits.Quota = chat.Quota{User: 100, Total: 150} })
	ann, ben := w.join("ann"), w.join("ben")
	sixty := strings.Repeat("x", 60)
	w.upload(ann, "a", "text/plain", sixty).want(201)
	w.upload(ann, "b", "text/plain", sixty).want(413).says("all your files together can have at most 100 bytes")
	w.upload(ann, "c", "text/plain", sixty[:40]).want(201)
	w.upload(ben, "d", "text/plain", sixty).want(507).says("ask the operator")
	w.upload(ben, "e", "text/plain", sixty[:50]).want(201)
	w.upload(ben, "f", "text/plain", "x").want(507)
}

// TestTheSizeLimitComesBeforeTheQuota: a file that is too large by itself fits at no time, and the operator cannot help.
func TestTheSizeLimitComesBeforeTheQuota(t *testing.T) {
	w := open(t, func(c *chat.Config, _ *rest.Config) {
		c.Limits.MaxUpload, c.Limits.Quota = 9000, chat.Quota{Total: 8000}
	})
	ann := w.join("ann")
	w.upload(ann, "too large", "text/plain", strings.Repeat("x", 18<<10)).want(413).says("at most 9000 bytes")
	w.upload(ann, "by one byte", "text/plain", strings.Repeat("x", 9001)).want(413).says("at most 9000 bytes")
	w.upload(ann, "fits later", "text/plain", strings.Repeat("x", 9000)).want(507)
	w.upload(ann, "fits", "text/plain", strings.Repeat("x", 8000)).want(201)
}
