// Package blob implements chat.Blobs in a local folder and in S3.
//
// [Open] opens the folder. The bytes of a key such as 0123abcd… are in the file 01/23/0123abcd…, and unfinished
// uploads are in tmp. No key can lead out of the folder.
//
// [OpenS3] opens a bucket; [ParseS3URL] parses its URL.
package blob

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

// A Store keeps blobs in a folder. It is safe for concurrent use, also by several processes.
type Store struct {
	root   *os.Root
	making sync.RWMutex // held while cleaning, because a new or a finished file has no lock for a moment
}

var (
	_ chat.Blobs   = (*Store)(nil)
	_ chat.Cleaner = (*Store)(nil)
)

const (
	tmp = "tmp"
	// leftover is the age at which an unfinished upload is removed, on systems without file locks.
	leftover = time.Hour
	keySize  = 16 // bytes; a key has twice as many hexadecimal digits
)

// Open opens folder and removes what crashed uploads left in it. If the folder does not exist, Open creates it,
// readable only by this user. The caller must call Close.
func Open(folder string) (*Store, error) {
	if folder == "" {
		return nil, errors.New("blob: open: the folder has no name")
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	s := &Store{root: root}
	err = s.makeTmp()
	if err == nil {
		err = s.Clean(context.Background())
	}
	if err != nil {
		return nil, fmt.Errorf("blob: open: %w", errors.Join(err, root.Close()))
	}
	return s, nil
}

// Close closes the folder. Open blobs stay open.
func (s *Store) Close() error { return s.root.Close() }

func (s *Store) makeTmp() error {
	if err := s.root.Mkdir(tmp, 0o700); !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Clean implements chat.Cleaner: it removes uploads that crashed. Uploads in progress, also those of other processes
// on this machine, hold a lock.
func (s *Store) Clean(ctx context.Context) error {
	entries, err := fs.ReadDir(s.root.FS(), tmp)
	if err != nil {
		return fmt.Errorf("blob: clean: %w", err)
	}
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := s.cleanOne(e); err != nil {
			return fmt.Errorf("blob: clean: %w", err)
		}
	}
	return nil
}

func (s *Store) cleanOne(e fs.DirEntry) error {
	s.making.Lock()
	defer s.making.Unlock()
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	name := path.Join(tmp, e.Name())
	if err != nil || time.Since(info.ModTime()) < leftover && !s.free(name) {
		return err
	}
	return s.remove(name)
}

// free reports whether no upload writes to a file.
func (s *Store) free(name string) bool {
	f, err := s.root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return tryLock(f)
}

// create creates the file of an upload and locks it.
func (s *Store) create(name string) (*os.File, error) {
	s.making.RLock()
	defer s.making.RUnlock()
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	f, err := s.root.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // the folder was emptied
		if err = s.root.MkdirAll(tmp, 0o700); err == nil {
			f, err = s.root.OpenFile(name, flags, 0o600)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		e := chat.Errorf(chat.KindUnavailable, "not stored", "the server's folder of files is gone: try again once the operator has restarted the server")
		return nil, fmt.Errorf("%w (the folder %s was deleted while the server runs: %w)", e, s.root.Name(), err)
	}
	if err == nil {
		_ = tryLock(f) // the file is new: nobody else has the lock
	}
	return f, err
}

// Put implements chat.Blobs. It wraps an error of r.
func (s *Store) Put(ctx context.Context, r io.Reader) (string, error) {
	key := newKey()
	if err := s.put(ctx, key, r); err != nil {
		return "", fmt.Errorf("blob: put: %w", errors.Join(chat.WordFull(err), s.remove(path.Join(tmp, key)), s.remove(place(key))))
	}
	return key, nil
}

func (s *Store) put(ctx context.Context, key string, r io.Reader) error {
	part := path.Join(tmp, key)
	f, err := s.create(part)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, reader{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	folder := path.Dir(place(key))
	if err := errors.Join(err, s.root.MkdirAll(folder, 0o700)); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := s.finish(f, part, key); err != nil {
		return err
	}
	// Another upload may have created the folders and not have synced them yet.
	return errors.Join(s.sync(folder), s.sync(path.Dir(folder)), s.sync("."))
}

// finish moves an upload to its place. After it is unlocked and before it is renamed, it looks like a crashed one.
func (s *Store) finish(f *os.File, part, key string) error {
	s.making.RLock()
	defer s.making.RUnlock()
	if err := f.Close(); err != nil {
		return err
	}
	return s.root.Rename(part, place(key))
}

// sync makes the names in folder durable.
func (s *Store) sync(folder string) error {
	if runtime.GOOS == "windows" { // Windows cannot, and need not
		return nil
	}
	d, err := s.root.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A reader ends with its context. It hides other methods of r, so that all bytes pass through Read.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// Open implements chat.Blobs. It returns an *os.File.
func (s *Store) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	if !validKey(key) {
		return nil, fmt.Errorf("blob: open: %w", chat.ErrNotFound)
	}
	f, err := s.root.Open(place(key))
	if errors.Is(err, fs.ErrNotExist) {
		err = chat.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	return f, nil
}

// Delete implements chat.Blobs.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("blob: delete: %w", err)
	}
	if !validKey(key) {
		return nil
	}
	if err := s.remove(place(key)); err != nil {
		return fmt.Errorf("blob: delete: %w", err)
	}
	return nil
}

// remove removes a file. If there is none, that is not an error.
func (s *Store) remove(name string) error {
	if err := s.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func newKey() string {
	var b [keySize]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// validKey reports whether key has the form of newKey's keys.
func validKey(key string) bool {
	if len(key) != 2*keySize {
		return false
	}
	for _, c := range []byte(key) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// Has reports whether a folder of [Open], or a copy of it, has the file of a key. It creates nothing.
func Has(folder, key string) (bool, error) {
	if !validKey(key) {
		return false, nil
	}
	switch _, err := os.Stat(filepath.Join(folder, filepath.FromSlash(place(key)))); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("blob: has: %w", err)
	}
	return true, nil
}

// place returns the file name for a valid key.
func place(key string) string { return path.Join(key[:2], key[2:4], key) }
