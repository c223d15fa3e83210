package rest

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// patience is how long the server waits for a client that sends or reads.
type patience struct {
	body  time.Duration // for all of a body that is not an upload
	stall time.Duration // for the next bytes of a file, either way, and to read an answer
	start time.Duration // for an upload, before its average speed counts
}

var defaultPatience = patience{body: 15 * time.Second, stall: 30 * time.Second, start: time.Minute}

// slowest is how many bytes a second a client has to make on average: one byte
// every now and then must not hold a connection for days.
const slowest = 8 << 10

// hurry bounds the time that the request's body takes, read by a handler or
// thrown away after it, and the time to read the answer. A writer that knows
// no deadlines, as in tests, has none to keep: here and below.
func (s *Server) hurry(c echo.Context) {
	ctl, now := http.NewResponseController(c.Response()), time.Now()
	if hasBody(c.Request()) {
		_ = ctl.SetReadDeadline(now.Add(s.patience.body))
	}
	_ = ctl.SetWriteDeadline(now.Add(s.patience.body + s.patience.stall))
}

// hurryAnswer bounds the time to read an answer of n bytes that begins now.
func (s *Server) hurryAnswer(c echo.Context, n int) {
	within := s.patience.stall + time.Duration(n/slowest)*time.Second
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(within))
}

// A pacedBody is the body of an upload. Its deadline moves as bytes come in.
type pacedBody struct {
	io.ReadCloser
	ctl      *http.ResponseController
	patience patience
	begun    time.Time
	n        int64
}

// paceBody puts moving deadlines in place of the fixed one of other requests.
func (s *Server) paceBody(c echo.Context) *pacedBody {
	r := c.Request()
	b := &pacedBody{
		ReadCloser: r.Body, ctl: http.NewResponseController(c.Response()),
		patience: s.patience, begun: time.Now(),
	}
	r.Body = b
	return b
}

func (b *pacedBody) Read(p []byte) (int, error) {
	deadline := b.begun.Add(b.patience.start + time.Duration(b.n/slowest)*time.Second)
	if next := time.Now().Add(b.patience.stall); next.Before(deadline) {
		deadline = next
	}
	_ = b.ctl.SetReadDeadline(deadline)
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err != nil {
		_ = b.ctl.SetReadDeadline(time.Time{}) // net/http reads ahead now, as in readBody
	}
	return n, err
}

// done is called when the handler reads no more: what is left of the body has
// the time of any other.
func (b *pacedBody) done() {
	_ = b.ctl.SetReadDeadline(time.Now().Add(b.patience.body))
}

// A download writes a file. Its deadline moves as bytes go out. What net/http
// has to say against the request it keeps back, for the envelope.
type download struct {
	http.ResponseWriter
	ctl     *http.ResponseController
	stall   time.Duration
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
	_ = d.ctl.SetWriteDeadline(time.Now().Add(d.stall))
	return d.ResponseWriter.Write(p)
}
