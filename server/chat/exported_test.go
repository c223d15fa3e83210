package chat_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

// TestAnExportFailsOnlyByTheServer: a client that goes away, or whose session ends, is no
// failure of the server; a file that has lost bytes is one.
func TestAnExportFailsOnlyByTheServer(t *testing.T) {
	w := newWorld(t)
	var told []chat.ExportOutcome
	n := w.node(t, nil, func(c *chat.Config) {
		c.Hooks.Exported = func(_ context.Context, d chat.Exported) { told = append(told, d.Outcome) }
	})
	ann := w.session(t)
	for range 2 { // before the second one, it is noticed that the session has ended
		if _, err := n.Upload(t.Context(), ann, chat.Upload{Name: "a", Body: strings.NewReader(strings.Repeat("abc", 100_000))}); err != nil {
			t.Fatal(err)
		}
	}
	export := func(ctx context.Context, to io.Writer, want chat.ExportOutcome) {
		t.Helper()
		e, err := n.BeginExport(t.Context(), ann)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		told = nil
		err = e.Write(ctx, to)
		if (err == nil) != (want == chat.ExportComplete) || len(told) != 1 || told[0] != want {
			t.Errorf("told %q and returned %v, want %q", told, err, want)
		}
	}
	export(t.Context(), io.Discard, chat.ExportComplete)
	r, gone := io.Pipe()
	_ = r.CloseWithError(errors.New("connection reset by peer"))
	export(t.Context(), gone, chat.ExportCancelled)
	ctx, cancel := context.WithCancel(t.Context())
	export(ctx, &hinge{name: "friends.jsonl", then: cancel}, chat.ExportCancelled)

	files := w.blobFiles(t)
	cut := func(to int64) {
		for _, name := range files {
			if err := os.Truncate(name, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut(1000)
	export(t.Context(), io.Discard, chat.ExportFailed)
	cut(300_000)
	export(t.Context(), &hinge{name: "friends.jsonl", then: func() {
		if err := n.Logout(t.Context(), ann); err != nil {
			t.Error(err)
		}
	}}, chat.ExportCancelled)
}

// blobFiles are the files in which the world's blobs are.
func (w *world) blobFiles(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && !strings.HasPrefix(d.Name(), ".") {
			names = append(names, path)
		}
		return err
	})
	if err != nil || len(names) != 2 {
		t.Fatalf("%d files, want 2: %v", len(names), err)
	}
	return names
}
