package rest

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// A file may take long, but it has to move: a transfer that stands still for
// stall is cut off, and so is an upload that on average is slower than
// slowest after its first minute.
const (
	stall   = 30 * time.Second
	slowest = 8 << 10 // bytes a second
)

// A pacedBody is the body of an upload whose deadline moves as bytes come in.
type pacedBody struct {
	io.ReadCloser
	ctl   *http.ResponseController
	start time.Time
	n     int64
}

// paceBody puts moving deadlines in place of the fixed ones of other requests.
func paceBody(c echo.Context) *pacedBody {
	r := c.Request()
	b := &pacedBody{ReadCloser: r.Body, ctl: http.NewResponseController(c.Response()), start: time.Now()}
	r.Body = b
	return b
}

func (b *pacedBody) Read(p []byte) (int, error) {
	latest := b.start.Add(time.Minute + time.Duration(b.n/slowest)*time.Second)
	if next := time.Now().Add(stall); next.Before(latest) {
		latest = next
	}
	_ = b.ctl.SetReadDeadline(latest)
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// done is called when no more is read: the answer has its own time, and what
// is left of the body is thrown away within bodyWithin.
func (b *pacedBody) done() {
	_ = b.ctl.SetReadDeadline(time.Now().Add(bodyWithin))
	_ = b.ctl.SetWriteDeadline(time.Now().Add(stall))
}

// A download writes a file with a deadline that moves as bytes go out. What
// net/http has to say against the request it keeps back, for the envelope.
type download struct {
	http.ResponseWriter
	ctl     *http.ResponseController
	refused int // status
	why     string
}

func (d *download) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		d.refused = status
		return
	}
	d.ResponseWriter.WriteHeader(status)
}

func (d *download) Write(p []byte) (int, error) {
	if d.refused != 0 {
		d.why += string(p)
		return len(p), nil
	}
	_ = d.ctl.SetWriteDeadline(time.Now().Add(stall))
	return d.ResponseWriter.Write(p)
}
