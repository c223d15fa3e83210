package rest

import (
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/onemeter/onemeter/server/chat"
)

// multipartRoom is how many bytes an upload may have besides its file: boundaries, headers, other fields.
const multipartRoom = 1 << 20

// A file is the JSON of a file.
type file struct {
	chat.File
	URL string `json:"url"`
}

func fileOf(f chat.File) file {
	return file{File: f, URL: fmt.Sprintf("/api/files/%d/download", f.ID)}
}

// upload streams the part named file to the service, without buffering the whole file.
func (s *Server) upload(c echo.Context, me chat.Caller) error {
	r := c.Request()
	pace := s.paceBody(c)
	defer pace.done()
	part, err := filePart(r)
	if err != nil {
		return err
	}
	body := &partReader{r: part}
	f, err := s.svc.Upload(r.Context(), me, chat.Upload{
		Name: part.FileName(), ContentType: part.Header.Get(echo.HeaderContentType), Body: body,
	})
	if err != nil && body.err != nil {
		err = body.err // the client is the cause, whatever error the store made of it
	}
	return s.created(c, fileOf(f), err)
}

// filePart skips to the part named file.
func filePart(r *http.Request) (*multipart.Part, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, invalid("the body must be multipart/form-data with a part named file: %s",
			strings.TrimPrefix(err.Error(), "request "))
	}
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, invalid("the form has no part named file")
		case err != nil:
			return nil, bodyError(err)
		case part.FormName() == "file":
			return part, nil
		}
	}
}

// A partReader maps the errors of reading by bodyError. err is the last one.
type partReader struct {
	r   io.Reader
	err error
}

func (p *partReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = bodyError(err)
		p.err = err
	}
	return n, err
}

func (s *Server) file(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	f, err := s.svc.File(c.Request().Context(), me, id)
	return s.ok(c, fileOf(f), err)
}

// files answers with the caller's files, the bytes that they use, and the quota (0: no limit).
func (s *Server) files(c echo.Context, me chat.Caller) error {
	q := query{c: c}
	p := q.paging()
	if q.err != nil {
		return q.err
	}
	got, err := s.svc.Files(c.Request().Context(), me, p)
	if err != nil {
		return err
	}
	files := make([]file, len(got.Items))
	for i, f := range got.Items {
		files[i] = fileOf(f)
	}
	s.write(c, http.StatusOK, struct {
		part
		Used  int64 `json:"bytes_used"`
		Quota int64 `json:"bytes_quota"`
	}{
		part{envelope{Success: true, Data: files}, got.Limit, got.Offset, got.HasMore}, got.Used, got.Quota,
	})
	return nil
}

func (s *Server) deleteFile(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	return s.ok(c, nothing{}, s.svc.DeleteFile(c.Request().Context(), me, id))
}

// download sends a file, or the requested ranges. The headers keep a browser from showing an uploaded file as a page of
// this site.
func (s *Server) download(c echo.Context, me chat.Caller) error {
	id, err := pathID(c, "id")
	if err != nil {
		return err
	}
	f, body, err := s.svc.OpenFile(c.Request().Context(), me, id)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // only read

	header := c.Response().Header()
	header.Set(echo.HeaderContentType, f.ContentType)
	header.Set(echo.HeaderContentDisposition, disposition(f.Name))
	header.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; sandbox; frame-ancestors 'none'")
	// Only the client may cache it, and must revalidate: who may read the file can change.
	header.Set(echo.HeaderCacheControl, "private, no-cache")
	header.Set("Etag", `"`+f.SHA256+`"`)
	out := s.newDownload(c.Response())
	http.ServeContent(out, c.Request(), "", f.CreatedAt, body)
	if out.refused == 0 {
		return nil
	}
	for _, name := range []string{echo.HeaderContentDisposition, "Etag", "Accept-Ranges"} {
		header.Del(name)
	}
	return echo.NewHTTPError(out.refused, strings.TrimSpace(out.why))
}

// disposition returns the header that makes a browser save a file under name: in ASCII for old browsers, and by RFC
// 5987 for others.
func disposition(name string) string {
	var plain, encoded strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%/;`, r) {
			r = '_'
		}
		plain.WriteRune(r)
	}
	for _, b := range []byte(name) {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return `attachment; filename="` + plain.String() + `"; filename*=UTF-8''` + encoded.String()
}
