//go:build unix

package ws

import "syscall"

// try is one attempt at the write under way, on a socket that does not block.
// It returns false to be called again when the socket takes more.
func (w *writer) try(fd uintptr) bool {
	for w.n < len(w.buf) {
		n, err := syscall.Write(int(fd), w.buf[w.n:])
		switch {
		case n > 0:
			w.n += n
			if w.wait {
				return true // so that progress is noted
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

// canTry tells that try works here.
const canTry = true
