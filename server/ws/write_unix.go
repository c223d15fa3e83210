//go:build unix

package ws

import "syscall"

// try attempts the current write on a non-blocking socket. It returns false to be called again when the socket accepts
// more.
func (w *writer) try(fd uintptr) bool {
	for w.n < len(w.buf) {
		n, err := syscall.Write(int(fd), w.buf[w.n:])
		switch {
		case n > 0:
			w.n += n
			if w.wait {
				return true // so that progress is recorded
			}
		case err == syscall.EAGAIN:
			return !w.wait
		case err != syscall.EINTR:
			w.err = err
			return true
		}
	}
	return true
}

// canTry says that this system supports try.
const canTry = true
