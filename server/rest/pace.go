package rest

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// patience has the times that the server waits for a client that sends or reads.
type patience struct {
	body  time.Duration // for a whole body that is not an upload
	stall time.Duration // for the next bytes of a file, sent or received, and until an answer is read
	start time.Duration // of a transfer, before its average speed matters
}

var defaultPatience = patience{body: 15 * time.Second, stall: 30 * time.Second, start: time.Minute}

// slowest is the minimum average speed of a client, in bytes a second. Otherwise a client could hold a connection for
// days with a byte now and then.
const slowest = 8 << 10

// setDeadlines limits the time to read the request's body, whether a handler reads it or it is discarded, and the time
// in which the client must read the answer. Here and below, errors are ignored: a ResponseWriter of a test may have no
// deadlines.
func (s *Server) setDeadlines(c echo.Context) {
	ctl, now := http.NewResponseController(c.Response()), time.Now()
	if hasBody(c.Request()) {
		_ = ctl.SetReadDeadline(now.Add(s.patience.body))
	}
	_ = ctl.SetWriteDeadline(now.Add(s.patience.body + s.patience.stall))
}

// setAnswerDeadline limits the time in which the client must read an answer of n bytes that begins now.
func (s *Server) setAnswerDeadline(c echo.Context, n int) {
	within := s.patience.stall + time.Duration(n/slowest)*time.Second
	_ = http.NewResponseController(c.Response()).SetWriteDeadline(time.Now().Add(within))
}

// A pace computes the deadline for the next bytes of a transfer.
type pace struct {
	patience patience
	begun    time.Time
	n        int64 // bytes so far
}

func (s *Server) newPace() pace { return pace{patience: s.patience, begun: time.Now()} }

// deadline returns when the client will have stalled, or fallen below the slowest average speed, whichever is earlier.
func (p *pace) deadline() time.Time {
	average := p.begun.Add(p.patience.start + time.Duration(p.n/slowest)*time.Second)
	if stall := time.Now().Add(p.patience.stall); stall.Before(average) {
		return stall
	}
	return average
}

// A pacedBody is the body of an upload. Its deadline moves with the bytes that are read.
type pacedBody struct {
	io.ReadCloser
	ctl  *http.ResponseController
	pace pace
}

// paceBody replaces the fixed deadline of the body by a moving one.
func (s *Server) paceBody(c echo.Context) *pacedBody {
	r := c.Request()
	b := &pacedBody{ReadCloser: r.Body, ctl: http.NewResponseController(c.Response()), pace: s.newPace()}
	r.Body = b
	return b
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.ctl.SetReadDeadline(b.pace.deadline())
	n, err := b.ReadCloser.Read(p)
	b.pace.n += int64(n)
	if err != nil {
		_ = b.ctl.SetReadDeadline(time.Time{}) // net/http reads ahead now, as in readBody
	}
	return n, err
}

// done is called after the handler has stopped reading. The rest of the body has the fixed deadline again.
func (b *pacedBody) done() {
	_ = b.ctl.SetReadDeadline(time.Now().Add(b.pace.patience.body))
}

// A download writes a file. Its deadline moves with the bytes that are written. It holds back an error answer of
// net/http, so that the error can be sent in the envelope.
type download struct {
	http.ResponseWriter
	ctl     *http.ResponseController
	pace    pace
	refused int // status
	why     string
}

func (s *Server) newDownload(w http.ResponseWriter) *download {
	return &download{ResponseWriter: w, ctl: http.NewResponseController(w), pace: s.newPace()}
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
	_ = d.ctl.SetWriteDeadline(d.pace.deadline())
	n, err := d.ResponseWriter.Write(p)
	d.pace.n += int64(n)
	return n, err
}
