package blob

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/blob/blobtest"
	"github.com/onemeter/onemeter/server/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openTest(t testing.TB, folder string) *Store {
	t.Helper()
	s, err := Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestBlobs(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) chat.Blobs {
		folder := filepath.Join(t.TempDir(), "data", "files")
		t.Cleanup(func() { // after all that went wrong, too
			if left := files(t, filepath.Join(folder, tmp)); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
		return openTest(t, folder)
	})
}

// TestFolderIsDeletedWhileInUse: the store makes what was in the folder again. It
// cannot make the folder itself, and the error says what to do.
func TestFolderIsDeletedWhileInUse(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "files")
	s := openTest(t, folder)
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(folder, e.Name())))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), strings.NewReader("x")); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), strings.NewReader("x")); chat.KindOf(err) != chat.KindUnavailable || !strings.Contains(err.Error(), "restarted the server") {
		t.Errorf("without the folder: %v", err)
	}
	if err := s.Ping(t.Context()); chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("ping without the folder: %v", err)
	}
}

// TestCrashedUploadsAreRemoved finds what an upload left whose process is gone,
// however young it is, at the start and later; not what is under way.
func TestCrashedUploadsAreRemoved(t *testing.T) {
	folder := t.TempDir()
	s := openTest(t, folder)
	crash := func() {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, tmp, newKey()), []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		key, err := s.Put(t.Context(), r)
		if err == nil {
			_, err = s.Open(t.Context(), key)
		}
		done <- err
	}()
	if _, err := w.Write([]byte("first")); err != nil { // now the upload is under way
		t.Fatal(err)
	}
	left := func(what string) {
		t.Helper()
		if got := files(t, filepath.Join(folder, tmp)); len(got) != 1 {
			t.Errorf("%s: %v", what, got)
		}
	}
	crash()
	openTest(t, folder) // another process, or this one again
	left("at the start")
	crash()
	if err := s.Clean(t.Context()); err != nil {
		t.Error(err)
	}
	left("from time to time")
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// files lists the files below folder.
func files(t *testing.T, folder string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			list = append(list, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPrivate(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	s := openTest(t, folder)
	if _, err := s.Put(t.Context(), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestBrokenUploadLeavesNothing(t *testing.T) {
	folder := t.TempDir()
	s := openTest(t, folder)
	if _, err := s.Put(t.Context(), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("xy")))); err == nil {
		t.Error("no error")
	}
	if left := files(t, folder); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLeftoversAreRemoved(t *testing.T) {
	folder := t.TempDir()
	s := openTest(t, folder)
	key, err := s.Put(t.Context(), strings.NewReader("kept"))
	if err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(folder, tmp, "old"), filepath.Join(folder, tmp, "young")
	long := time.Now().Add(-2 * leftover)
	err = errors.Join(os.WriteFile(old, nil, 0o600), os.WriteFile(young, nil, 0o600), os.Chtimes(old, long, long))
	if err != nil {
		t.Fatal(err)
	}
	again := openTest(t, folder)
	left := files(t, folder)
	if len(left) != 1 {
		t.Errorf("there are %v, want the blob", left)
	}
	f, err := again.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	key := strings.Repeat("ab", keySize)
	err := errors.Join(
		os.MkdirAll(filepath.Join(outside, "ab"), 0o700),
		os.WriteFile(filepath.Join(outside, "ab", key), []byte("secret"), 0o600),
		os.Symlink(outside, filepath.Join(folder, "ab")),
	)
	if err != nil {
		t.Fatal(err)
	}
	s := openTest(t, folder)
	if f, err := s.Open(t.Context(), key); err == nil {
		t.Errorf("opened %v", f)
	}
	if err := s.Delete(t.Context(), key); err == nil {
		t.Error("deleted through a link")
	}
}

func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"", file, filepath.Join(file, "below")} {
		if s, err := Open(folder); err == nil {
			t.Errorf("opened %q", folder)
			_ = s.Close()
		}
	}
}

func FuzzKey(f *testing.F) {
	folder := f.TempDir()
	s := openTest(f, folder)
	key, err := s.Put(f.Context(), strings.NewReader("x"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{key, "", "..", "../" + key, key + "\x00", place(key), strings.ToUpper(key)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, k string) {
		if validKey(k) && !filepath.IsLocal(place(k)) {
			t.Errorf("%q leads to %s", k, place(k))
		}
		file, err := s.Open(t.Context(), k)
		if (err == nil) != (k == key) {
			t.Errorf("%q: %v", k, err)
		}
		if err == nil {
			_ = file.Close()
		}
	})
}

func BenchmarkPut(b *testing.B) {
	s := openTest(b, b.TempDir())
	content := make([]byte, 64<<10)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		if _, err := s.Put(b.Context(), bytes.NewReader(content)); err != nil {
			b.Fatal(err)
		}
	}
}
