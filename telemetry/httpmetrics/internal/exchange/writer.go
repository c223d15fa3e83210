package exchange

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
)

// Writer returns the ResponseWriter for the handler. It implements the same optional interfaces of net/http as the
// one passed to Begin. http.ResponseController finds other methods through Unwrap.
func (x *Exchange) Writer() http.ResponseWriter {
	_, reads := x.to.(io.ReaderFrom)
	flushes, hijacks := can[http.Flusher](x.to), can[http.Hijacker](x.to)
	// Each of these types is one pointer wide, so that none is allocated.
	switch {
	case flushes && hijacks && reads:
		return flushHijackRead{x} // HTTP/1
	case flushes && hijacks:
		return flushHijack{x}
	case flushes && reads:
		return flushRead{x}
	case hijacks && reads:
		return hijackRead{x}
	case flushes:
		if _, pushes := x.to.(http.Pusher); pushes {
			return flushPush{x} // HTTP/2
		}
		return flush{x}
	case hijacks:
		return hijack{x}
	case reads:
		return read{x}
	}
	return x
}

// can reports whether a writer, or one that it wraps, is a T.
func can[T any](w http.ResponseWriter) bool {
	for {
		if _, ok := w.(T); ok {
			return true
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return false
		}
		w = wrapper.Unwrap()
	}
}

type (
	flush           struct{ *Exchange }
	hijack          struct{ *Exchange }
	read            struct{ *Exchange }
	flushHijack     struct{ *Exchange }
	flushRead       struct{ *Exchange }
	hijackRead      struct{ *Exchange }
	flushHijackRead struct{ *Exchange }
	flushPush       struct{ *Exchange }
)

func (w flush) Flush()           { _ = w.FlushError() }
func (w flushHijack) Flush()     { _ = w.FlushError() }
func (w flushRead) Flush()       { _ = w.FlushError() }
func (w flushHijackRead) Flush() { _ = w.FlushError() }
func (w flushPush) Flush()       { _ = w.FlushError() }

func (w hijack) Hijack() (net.Conn, *bufio.ReadWriter, error)          { return w.hijack() }
func (w flushHijack) Hijack() (net.Conn, *bufio.ReadWriter, error)     { return w.hijack() }
func (w hijackRead) Hijack() (net.Conn, *bufio.ReadWriter, error)      { return w.hijack() }
func (w flushHijackRead) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w read) ReadFrom(r io.Reader) (int64, error)            { return w.readFrom(r) }
func (w flushRead) ReadFrom(r io.Reader) (int64, error)       { return w.readFrom(r) }
func (w hijackRead) ReadFrom(r io.Reader) (int64, error)      { return w.readFrom(r) }
func (w flushHijackRead) ReadFrom(r io.Reader) (int64, error) { return w.readFrom(r) }

// CloseNotify is deprecated, but gin calls it without a check. Both of net/http's writers have it. For others it
// returns nil.
func (w flushHijackRead) CloseNotify() <-chan bool { return w.closeNotify() }

// CloseNotify is deprecated; see above.
func (w flushPush) CloseNotify() <-chan bool { return w.closeNotify() }

func (x *Exchange) closeNotify() <-chan bool {
	if n, ok := x.to.(interface{ CloseNotify() <-chan bool }); ok {
		return n.CloseNotify()
	}
	return nil
}

func (w flushPush) Push(target string, opts *http.PushOptions) error {
	return w.to.(http.Pusher).Push(target, opts)
}

// Header implements http.ResponseWriter.
func (x *Exchange) Header() http.Header { return x.to.Header() }

// WriteHeader implements http.ResponseWriter. The first status that is not informational counts.
func (x *Exchange) WriteHeader(status int) {
	x.to.WriteHeader(status) // panics if the status is invalid
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		x.answer(status)
	}
}

// answer stores the status, if it is the first.
func (x *Exchange) answer(status int) {
	if x.status == 0 && !x.taken {
		x.status = status
	}
}

// Write implements http.ResponseWriter.
func (x *Exchange) Write(p []byte) (int, error) {
	x.answer(http.StatusOK)
	n, err := x.to.Write(p)
	return n, x.wrote(int64(n), err)
}

func (x *Exchange) wrote(n int64, err error) error {
	x.written += n
	if err != nil && errors.Is(err, http.ErrHandlerTimeout) {
		x.late = true
	}
	return err
}

// WriteString implements io.StringWriter.
func (x *Exchange) WriteString(s string) (int, error) {
	x.answer(http.StatusOK)
	n, err := io.WriteString(x.to, s)
	return n, x.wrote(int64(n), err)
}

func (x *Exchange) readFrom(r io.Reader) (int64, error) {
	n, err := x.to.(io.ReaderFrom).ReadFrom(r)
	if n > 0 { // without any byte the header is not written yet
		x.answer(http.StatusOK)
	}
	return n, x.wrote(n, err)
}

// FlushError flushes, for http.ResponseController.
func (x *Exchange) FlushError() error {
	err := http.NewResponseController(x.to).Flush()
	if err == nil {
		x.answer(http.StatusOK)
	}
	return err
}

func (x *Exchange) hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(x.to).Hijack()
	if err == nil {
		x.taken = true
		x.leave()
	}
	return conn, rw, err
}

// Unwrap returns the inner writer, for http.ResponseController.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.to }
