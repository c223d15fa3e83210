package main

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/internal/imclient"
)

// entries returns the names of all that is below a folder.
func entries(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestBackupIntoTheStoreOfFiles is refused before anything is written, however the folder is named.
func TestBackupIntoTheStoreOfFiles(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	files, link := filepath.Join(prog.dir, "data/files"), filepath.Join(prog.dir, "link")
	if err := os.Symlink(files, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(prog.dir)
	before := entries(t, prog.dir)
	for _, to := range []string{
		files, filepath.Join(files, "bk"), filepath.Join(files, "tmp"), "data/files/bk/of/today", "./data/../data/files/bk", link, "link/bk",
	} {
		code, out, errOut := prog.told(t, "", "backup", "--to="+to)
		if code != exitFailed || out != "" || !strings.Contains(errOut, "is in the store of files") {
			t.Fatalf("%s: exit code %d: %s%s", to, code, out, errOut)
		}
	}
	if after := entries(t, prog.dir); !slices.Equal(before, after) {
		t.Errorf("was %q, is %q", before, after)
	}
	prog.env = []string{"IM_DB=sqlite://" + filepath.Join(prog.dir, "data/im.db"), "IM_BLOB=file://" + filepath.Join(link, "none")}
	if code, _, errOut := prog.told(t, "", "backup", "--to", filepath.Join(files, "none/bk")); code != exitFailed || !strings.Contains(errOut, "is in the store of files") {
		t.Errorf("in a store that does not exist yet: exit code %d: %s", code, errOut)
	}
	prog.env = nil
	prog.tell(t, "backup", "--to=data/files-copy")
}

// TestBackupWithoutTheFiles is an error: --blob does not name the server's store of files.
func TestBackupWithoutTheFiles(t *testing.T) {
	prog := alone(t)
	p := launch(t, prog)
	ann := p.register(t, "10001")
	for _, name := range []string{"a", "b"} {
		if err := ann.Do(t.Context(), http.MethodPost, "/api/files/upload", imclient.File{Name: name, Content: []byte(name)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	for _, c := range []struct{ blob, says string }{
		{"file://" + none, "2 of the 2 files that the database names are not in " + none},
		{"file://" + t.TempDir(), "2 of the 2 files"},
		{"s3://bucket?endpoint=http://127.0.0.1:1&timeout=1s", "name the server's store of files with --blob"},
	} {
		for _, asJSON := range []string{"--json", "--json=false"} {
			code, out, errOut := prog.told(t, "", "backup", "--blob="+c.blob, asJSON, "--to="+filepath.Join(t.TempDir(), "to"))
			if code != exitFailed || out != "" || !strings.Contains(errOut, c.says) || !strings.Contains(errOut, "--blob") {
				t.Errorf("%s %s: exit code %d: %s%s", c.blob, asJSON, code, out, errOut)
			}
		}
	}
	if _, err := os.Stat(none); err == nil {
		t.Error("the folder of --blob was made")
	}
	prog.tell(t, "backup", "--to="+filepath.Join(t.TempDir(), "to"))
}

// TestAFolderOfFilesThatIsGone is warned of when a server starts on a database that names files.
func TestAFolderOfFilesThatIsGone(t *testing.T) {
	prog := alone(t)
	p := launch(t, prog)
	if err := p.register(t, "10001").Do(t.Context(), http.MethodPost, "/api/files/upload", imclient.File{Name: "a", Content: []byte("a")}, nil); err != nil {
		t.Fatal(err)
	}
	p.stop(t, shutdownTimeout)
	const warning = "the database names files, but their folder does not exist"
	if log := p.log.String(); strings.Contains(log, warning) {
		t.Error(log)
	}
	prog.args = append(prog.args, "--blob=file://"+filepath.Join(prog.dir, "wrong"))
	p = launch(t, prog)
	p.stop(t, shutdownTimeout)
	if log := p.log.String(); !strings.Contains(log, warning) || !strings.Contains(log, filepath.Join(prog.dir, "wrong")) {
		t.Error(log)
	}
}
