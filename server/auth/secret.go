package auth

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// secretSize is the size of a secret file in bytes.
const secretSize = 32

// Secret returns the signing secret in the file path. If there is no file, it creates it, and its folder, with a random
// secret of 32 bytes. Processes that start at the same time get the same secret. Secret returns an error if other users
// can read or write the file, or if it does not have exactly 32 bytes.
func Secret(path string) ([]byte, error) {
	secret, err := readSecret(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(path); err != nil {
			return nil, fmt.Errorf("auth: make secret: %w", err)
		}
		secret, err = readSecret(path)
	}
	if err != nil {
		return nil, fmt.Errorf("auth: read secret: %w", err)
	}
	return secret, nil
}

func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows": // which has no such bits
		return nil, fmt.Errorf("%s can be read or written by other users (mode %04o): run chmod 600 on it, or remove it "+
			"and the server creates a new one", path, info.Mode().Perm())
	case info.Size() != secretSize:
		return nil, fmt.Errorf("%s has %d bytes instead of %d: remove it, and the server creates a new one",
			path, info.Size(), secretSize)
	}
	secret := make([]byte, secretSize)
	if _, err := f.ReadAt(secret, 0); err != nil {
		return nil, err
	}
	return secret, nil
}

// makeSecret creates the file path with a new secret, unless another process has created it meanwhile.
func makeSecret(path string) (err error) {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*") // has mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	secret := make([]byte, secretSize)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	_, err = f.Write(secret)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(folder)
}

// syncFolder makes a new file name in folder durable.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" { // which cannot sync a folder, and need not
		return nil
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
