//go:build unix

package blob

import (
	"os"
	"syscall"
)

// tryLock takes the lock of a file, which ends with the process that has it. It
// tells whether nobody else has it.
func tryLock(f *os.File) bool {
	raw, err := f.SyscallConn()
	if err != nil {
		return false
	}
	var locked error
	err = raw.Control(func(fd uintptr) { locked = syscall.Flock(int(fd), syscall.LOCK_EX|syscall.LOCK_NB) })
	return err == nil && locked == nil
}
