//go:build unix

package blob

import (
	"os"
	"syscall"
)

// tryLock locks a file and reports whether that worked: another process may have the lock. It ends with the process.
func tryLock(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var locked error
	err = raw.Control(func(fd uintptr) { locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return err == nil && locked == nil
}
