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
	start time.Duration // for a file, either way, before its average speed counts
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

// A pace tells how long the next bytes of a file may take, either way.
type pace struct {
	patience patience
	begun    time.Time
	n        int64 // bytes so far
}

func (s *Server) newPace() pace { return pace{patience: s.patience, begun: time.Now()} }

// deadline is when the client stalls, or is slower than the slowest on average,
// whichever comes first.
func (p *pace) deadline() time.Time {
	average := p.begun.Add(p.patience.start + time.Duration(p.n/slowest)*time.Second)
	if stall := time.Now().Add(p.patience.stall); stall.Before(average) {
		return stall
	}
	return average
}

// A pacedBody is the body of an upload. Its deadline moves as bytes come in.
type pacedBody struct {
	io.ReadCloser
	ctl  *http.ResponseController
	pace pace
}

// paceBody puts moving deadlines in place of the fixed one of other requests.
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

// done is called when the handler reads no more: what is left of the body has
// the time of any other.
func (b *pacedBody) done() {
	_ = b.ctl.SetReadDeadline(time.Now().Add(b.pace.patience.body))
}

// A download writes a file. Its deadline moves as bytes go out. What net/http
// has to say against the request it keeps back, for the envelope.
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
