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

// Bytes of the library's buffers. It only writes control frames, each of at most 127 bytes and in one Write.
const (
	readBuffer  = 1 << 10
	writeBuffer = 128
)

// heardBusy in conn.heard: the reader is not reading.
const heardBusy = -1

// A wire is the socket as the WebSocket library sees it: it reads from the socket, but writes to the outbox.
type wire struct {
	net.Conn
	c     *conn
	raw   syscall.RawConn // nil if writes must wait (TLS)
	early []byte          // bytes that came with the handshake
	// Only the reader uses these.
	failed  bool // a read failed
	scanner scanner
	ignored bool // incoming bytes are discarded
}

// sendBuffer is the kernel's send buffer for one client, in bytes. (Linux doubles it, for its own data.) By default the
// kernel would buffer megabytes for a client that does not read, which would be detected much later.
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

// Read reads from the socket for the library. It fails if the client sends too many fragments or control frames.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.read(p)
	if !w.ignored && !w.c.allowPieces(w.scanner.pieces(p[:n])) {
		w.ignored = true
		return 0, errFlood
	}
	return n, err
}

// read reads from the socket and records when it began to wait.
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

// Write queues a control frame of the library.
func (w *wire) Write(p []byte) (int, error) {
	f := &frame{wire: bytes.Clone(p)}
	if p[0] == opClose {
		w.c.sendClose(f, false)
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

// maxWait is the most bytes of one write that waits. With smaller writes, a slow client that reads differs from one
// that does not.
const maxWait = 64 << 10

// write writes as much of buf as the socket accepts without waiting. If wr waits, it writes at least some bytes.
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

// abort closes the socket. With reset, it also drops the bytes that the kernel has not sent yet.
func (w *wire) abort(reset bool) {
	if tcp, ok := w.Conn.(*net.TCPConn); ok && reset {
		_ = tcp.SetLinger(0)
	}
	_ = w.Conn.Close()
}

// Discarded bytes are read at 6 MB a second at most: a client that floods us and does not answer the close frame must
// not cost more than before.
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

// An upgrade is the ResponseWriter that the library gets. It gives the library the wire instead of the socket, and
// records a refusal instead of writing it, so that the caller of Serve can answer.
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
	// The buffers of net/http are four times as large.
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
	const what = "not upgraded to a WebSocket"
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

// accept upgrades a request to a WebSocket.
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
