// Package blobtest is the contract of chat.Blobs as a test suite. [Run] runs it against a store.
package blobtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/onemeter/onemeter/server/chat"
)

// Run tests the stores that open returns. open closes them in t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) chat.Blobs) {
	for _, c := range []struct {
		name string
		test func(*testing.T, chat.Blobs)
	}{
		{"PutAndOpen", testPutAndOpen},
		{"Seek", testSeek},
		{"Delete", testDelete},
		{"BrokenUpload", testBrokenUpload},
		{"Cancelled", testCancelled},
		{"StrangeKeys", testStrangeKeys},
		{"Concurrency", testConcurrency},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func put(t *testing.T, b chat.Blobs, content []byte) string {
	t.Helper()
	// A reader that gives little at a time and its last bytes with io.EOF.
	key, err := b.Put(t.Context(), iotest.DataErrReader(iotest.HalfReader(bytes.NewReader(content))))
	if err != nil {
		t.Fatal(err)
	}
	if key == "" {
		t.Fatal("the key is empty")
	}
	return key
}

func get(t *testing.T, b chat.Blobs, key string) []byte {
	t.Helper()
	f, err := b.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return content
}

// random returns n bytes that do not compress.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, n))).Read(b) // never fails
	return b
}

func testPutAndOpen(t *testing.T, b chat.Blobs) {
	keys := make(map[string]bool)
	for _, size := range []int{0, 1, 1 << 10, 1<<20 + 1, 5 << 20, 5<<20 + 1, 10 << 20} {
		content := random(size)
		key := put(t, b, content)
		if keys[key] {
			t.Fatalf("key %s was given twice", key)
		}
		keys[key] = true
		if !bytes.Equal(get(t, b, key), content) {
			t.Errorf("%d bytes came back otherwise", size)
		}
	}
	first, second := put(t, b, []byte("same")), put(t, b, []byte("same"))
	if first == second {
		t.Error("two uploads have one key: deleting one deletes the other")
	}
}

func testSeek(t *testing.T, b chat.Blobs) {
	content := random(1 << 20)
	f, err := b.Open(t.Context(), put(t, b, content))
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if size != 1<<20 || err != nil {
		t.Fatal(size, err)
	}
	for _, at := range []int64{1<<20 - 7, 0, 4711} {
		got := make([]byte, 7)
		_, err1 := f.Seek(at, io.SeekStart)
		_, err2 := io.ReadFull(f, got)
		if !bytes.Equal(got, content[at:at+7]) || err1 != nil || err2 != nil {
			t.Errorf("at %d: %v, %v", at, err1, err2)
		}
	}
	if at, err := f.Seek(-1, io.SeekCurrent); at != 4711+6 || err != nil {
		t.Error(at, err)
	}
	if _, err := f.Seek(-1, io.SeekStart); err == nil {
		t.Error("there is something before the start")
	}
	if _, err := f.Seek(0, -1); err == nil {
		t.Error("a whence that is none was taken")
	}
	_, err = f.Seek(1<<20+1, io.SeekStart)
	if n, readErr := f.Read(make([]byte, 1)); n != 0 || !errors.Is(readErr, io.EOF) || err != nil {
		t.Errorf("beyond the end: %d bytes, %v, %v", n, readErr, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := f.Seek(0, io.SeekStart); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}

func testDelete(t *testing.T, b chat.Blobs) {
	key, other := put(t, b, []byte("x")), put(t, b, []byte("other"))
	for range 2 {
		if err := b.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Open(t.Context(), key); !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
	if string(get(t, b, other)) != "other" {
		t.Error("the other is gone too")
	}
}

func testBrokenUpload(t *testing.T, b chat.Blobs) {
	broken := chat.Errorf(chat.KindTooLarge, "file not stored", "it is too large")
	for _, before := range []int{0, 1, 6 << 20} {
		key, err := b.Put(t.Context(), io.MultiReader(bytes.NewReader(random(before)), iotest.ErrReader(broken)))
		if key != "" || chat.KindOf(err) != chat.KindTooLarge {
			t.Errorf("key %q, error %v", key, err)
		}
		// A client's body ends like this when its connection breaks.
		key, err = b.Put(t.Context(), io.MultiReader(bytes.NewReader(random(before)), iotest.ErrReader(io.ErrUnexpectedEOF)))
		if key != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("key %q, error %v", key, err)
		}
	}
}

func testCancelled(t *testing.T, b chat.Blobs) {
	key := put(t, b, []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			if i == 3 {
				cancel()
			}
			if _, err := w.Write(random(1 << 10)); err != nil {
				return
			}
		}
	})
	_, err := b.Put(ctx, r)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	_ = r.Close() // lets the writer go; it has no errors to tell
	wg.Wait()
	if _, err := b.Open(ctx, key); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := b.Delete(ctx, key); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if string(get(t, b, key)) != "x" {
		t.Error("a cancelled deletion deleted")
	}
}

func testStrangeKeys(t *testing.T, b chat.Blobs) {
	key := put(t, b, []byte("x"))
	for _, k := range []string{
		"", ".", "..", "/", "/etc/passwd", "../" + key, "./" + key, key + "/", key + "\x00", " " + key, key[:len(key)-1],
		strings.Repeat("../", 20) + "etc/passwd", "tmp", `..\..\x`, "\x00", strings.Repeat("a", 1<<16), "ä", "%2e%2e%2f",
		strings.Repeat("0", 32), strings.Repeat("f", 32),
	} {
		if _, err := b.Open(t.Context(), k); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("open %.40q: %v", k, err)
		}
		if err := b.Delete(t.Context(), k); err != nil {
			t.Errorf("delete %.40q: %v", k, err)
		}
	}
	if string(get(t, b, key)) != "x" {
		t.Error("the blob is gone")
	}
}

func testConcurrency(t *testing.T, b chat.Blobs) {
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			content := random(i << 10)
			for range 4 {
				key, err := b.Put(t.Context(), bytes.NewReader(content))
				if err != nil {
					t.Error(err)
					return
				}
				f, err := b.Open(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(f)
				if err := errors.Join(err, f.Close(), b.Delete(t.Context(), key)); err != nil || !bytes.Equal(got, content) {
					t.Error("other bytes came back", err)
				}
			}
		})
	}
	wg.Wait()
}
