//go:build !unix

package ws

// canTry says that this system does not support try: every write waits.
const canTry = false

func (w *writer) try(uintptr) bool { return true }
