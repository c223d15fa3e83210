package storetest

import (
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Template returns a function that gives each test a database of its own: the path of a copy of the file that create
// makes and leaves there when it is closed. create is called once, at the first use. A copy costs a fraction of what the
// migrations of an empty file do. The function is safe for concurrent use.
func Template(create func(path string) (io.Closer, error)) func(testing.TB) string {
	made := sync.OnceValues(func() ([]byte, error) {
		dir, err := os.MkdirTemp("", "template")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		path := filepath.Join(dir, "im.db")
		db, err := create(path)
		if err != nil {
			return nil, err
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
		return os.ReadFile(path)
	})
	return func(t testing.TB) string {
		t.Helper()
		content, err := made()
		if err != nil {
			t.Fatal("make the template of databases: ", err)
		}
		path := filepath.Join(t.TempDir(), "im.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}
