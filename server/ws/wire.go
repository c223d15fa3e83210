package ws

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/onemeter/onemeter/server/chat"
)

// Sizes of the library's buffers. It writes control frames only, each of at
// most 127 bytes and in one Write.
const (
	readBuffer  = 1 << 10
	writeBuffer = 128
)

// heardBusy in conn.heard: the reader is not reading.
const heardBusy = -1

// A wire is the socket as the WebSocket library sees it: reads are the
// socket's, but what it writes goes through the outbox.
type wire struct {
	net.Conn
	c     *conn
	raw   syscall.RawConn // nil where writes have to wait (TLS)
	early []byte          // what came with the handshake
	// The reader's.
	failed  bool // a read did
	scanner scanner
	ignored bool // what comes is read and thrown away
}

// sendBuffer is how much the kernel keeps for one client (Linux: twice as much,
// its own data included). By itself it would keep megabytes for one that does
// not read, and find out so much later.
const sendBuffer = 128 << 10

func (w *wire) attach(nc net.Conn, early []byte) {
	w.Conn, w.early = nc, early
	if b, ok := nc.(interface{ SetWriteBuffer(int) error }); ok {
		_ = b.SetWriteBuffer(sendBuffer)
	}
	if sc, ok := nc.(syscall.Conn); ok && canTry {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw = raw
		}
	}
}

// Read reads from the socket for the library, and fails for a client that
// floods it with what is not worth a frame.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read(p)
	if !w.ignored && !w.c.mayPass(w.scanner.pieces(p[:n])) {
		w.ignored = true
		return 0, errFlood
	}
	return n, err
}

// read reads from the socket and notes that the client lives.
func (w *wire) read(p []byte) (int, error) {
	if len(w.early) > 0 {
		n := copy(p, w.early)
		w.early = w.early[n:]
		return n, nil
	}
	c := w.c
	c.awaitRoom()
	c.heard.Store(c.hub.tick.Load())
	n, err := w.Conn.Read(p)
	c.heard.Store(heardBusy)
	c.hub.stats.bytesIn.Add(int64(n))
	if err != nil {
		w.failed = true
	}
	return n, err
}

// Write queues a control frame of the library's.
func (w *wire) Write(p []byte) (int, error) {
	f := &frame{wire: bytes.Clone(p)}
	if p[0] == opClose {
		w.c.last(f, false)
	} else {
		w.c.send(f)
	}
	return len(p), nil
}

// Close closes the socket once the close frame is written.
func (w *wire) Close() error {
	if w.c.out.hangUp() {
		return w.Conn.Close()
	}
	return nil
}

// maxWait is how many bytes one write may wait with, so that a slow client that
// does read is told from one that does not.
const maxWait = 64 << 10

// write writes buf, as much as the socket takes at once, or if wr waits, at
// least some of it.
func (w *wire) write(wr *writer, buf []byte) (int, error) {
	if w.raw == nil {
		return w.Conn.Write(buf[:min(len(buf), maxWait)])
	}
	wr.buf, wr.n, wr.err = buf, 0, nil
	err := w.raw.Write(wr.op)
	if err == nil {
		err = wr.err
	}
	wr.buf = nil
	return wr.n, err
}

// abort closes the socket, and with reset also forgets what it has not sent.
func (w *wire) abort(reset bool) {
	if tcp, ok := w.Conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = w.Conn.Close()
}

// What is thrown away is read at 6 MB a second at most: a client that floods us
// and does not answer the close frame must not cost more than he did before.
const (
	discardChunk = 64 << 10
	discardPause = 10 * time.Millisecond
)

// discard reads until the socket is closed.
func (w *wire) discard() {
	w.ignored = true
	for {
		if _, err := io.CopyN(io.Discard, w, discardChunk); err != nil {
			return
		}
		time.Sleep(discardPause)
	}
}

// An upgrade stands between a request and the library: it hands out the wire
// in place of the socket, and keeps a refusal from being written, so that the
// caller of Serve can word it.
type upgrade struct {
	http.ResponseWriter
	c      *conn
	status int
	reason bytes.Buffer
}

func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(u.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	w := &u.c.wire
	w.attach(nc, bytes.Clone(early))
	// Buffers of our own: net/http's are four times as large.
	return w, bufio.NewReadWriter(bufio.NewReaderSize(w, readBuffer), bufio.NewWriterSize(w, writeBuffer)), nil
}

func (u *upgrade) WriteHeader(status int) {
	u.status = status
	if status == http.StatusSwitchingProtocols {
		u.ResponseWriter.WriteHeader(status)
	}
}

func (u *upgrade) Write(p []byte) (int, error) { return u.reason.Write(p) }

// refusal is the error for a request that the library did not upgrade.
func (u *upgrade) refusal(err error) error {
	const what = "no WebSocket"
	why := string(bytes.TrimSpace(u.reason.Bytes()))
	switch u.status {
	case http.StatusForbidden:
		return chat.Errorf(chat.KindForbidden, what, "%s", why)
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUpgradeRequired:
		return chat.Errorf(chat.KindInvalid, what, "%s", why)
	default:
		return err
	}
}

// accept makes a WebSocket of a request.
func (c *conn) accept(w http.ResponseWriter, r *http.Request) error {
	u := &upgrade{ResponseWriter: w, c: c}
	ws, err := websocket.Accept(u, r, &websocket.AcceptOptions{OriginPatterns: c.hub.cfg.AllowedOrigins})
	if err != nil {
		return u.refusal(err)
	}
	ws.SetReadLimit(int64(c.hub.cfg.skip))
	c.ws = ws
	return nil
}
