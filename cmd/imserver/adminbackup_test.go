package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
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
