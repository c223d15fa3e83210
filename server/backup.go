package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// A Backup describes what was copied into a folder.
type Backup struct {
	Folder    string `json:"folder"`
	Database  int64  `json:"database_bytes"`
	Files     int    `json:"files"`
	FileBytes int64  `json:"file_bytes"`
	Secret    bool   `json:"secret"` // whether jwt.secret was copied
}

// A Progress is the state of a running backup.
type Progress struct {
	What       string // "database" or "files"
	Done, Most int64  // bytes; Most is an estimate for the database, and 0, unknown, for files
}

var errMySQL = errors.New("the database is MySQL: back it up with mysqldump --single-transaction --routines --triggers NAME > im.sql, " +
	"and then copy the files; copied before the database, some could be missing")

// progressEvery is the interval between two calls of a progress function.
const progressEvery = time.Second

// Backup copies a snapshot of the database, the files, and the secret beside the database into the folder, which must
// be new or empty. Servers may run meanwhile. The files are copied after the database, so the backup has all that it
// refers to; if files that the database names are missing all the same, it copies the rest and returns an error. Files in
// S3 are not copied. Backup calls tell about once a second. If it fails, it leaves the folder incomplete. A database on MySQL
// is an error.
func (o *Operator) Backup(ctx context.Context, folder string, tell func(Progress)) (Backup, error) {
	b := Backup{Folder: folder}
	db, err := o.cfg.database()
	if err != nil {
		return b, err
	}
	if db.MySQL != "" {
		return b, errMySQL
	}
	folder = absolute(folder)
	if err := o.outsideFiles(folder); err != nil {
		return b, err
	}
	if err := newFolder(folder); err != nil {
		return b, err
	}
	if err := o.noteBackup(ctx, folder); err != nil {
		return b, err
	}
	if b.Database, err = o.copyDatabase(ctx, filepath.Join(folder, "im.db"), tell); err != nil {
		return b, err
	}
	secret := filepath.Join(filepath.Dir(db.Path), "jwt.secret")
	switch _, err := copyFile(ctx, secret, filepath.Join(folder, "jwt.secret")); {
	case err == nil:
		b.Secret = true
	case !errors.Is(err, fs.ErrNotExist):
		return b, err
	}
	began := time.Now() // files made before have their bytes already
	if o.cfg.onS3() {
		return b, o.checkBucket(ctx, began)
	}
	files, err := o.cfg.blobPath()
	if err != nil {
		return b, err
	}
	copied := filepath.Join(folder, "files")
	if b.Files, b.FileBytes, err = copyFiles(ctx, files, copied, tell); err != nil {
		return b, err
	}
	return b, o.checkCopy(ctx, absolute(files), copied, began)
}

func (o *Operator) noteBackup(ctx context.Context, folder string) error {
	return o.store.AddAudit(ctx, chat.AuditEntry{
		Level: chat.LevelInfo, Module: chat.ModuleSystem, Message: "backup into " + folder, CreatedAt: time.Now(),
	})
}

// outsideFiles returns an error if folder is in the store of files, or would be once it is created: the copy would never
// end, because it would copy itself.
func (o *Operator) outsideFiles(folder string) error {
	if o.cfg.onS3() {
		return nil
	}
	files, err := o.cfg.blobPath()
	if err != nil {
		return fmt.Errorf("--blob: %w", err)
	}
	store := resolved(absolute(files))
	is, _ := os.Stat(store) // it need not exist
	for at := resolved(folder); ; at = filepath.Dir(at) {
		if same(at, store, is) {
			return fmt.Errorf("%s is in the store of files, %s: name a folder outside it", folder, store)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// same reports whether path is the folder store, whose information is known if it exists.
func same(path, store string, is fs.FileInfo) bool {
	if path == store {
		return true
	}
	info, err := os.Stat(path)
	return err == nil && is != nil && os.SameFile(info, is)
}

// resolved follows the symbolic links of an absolute path, as far as it exists.
func resolved(path string) string {
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		return followed
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolved(parent), filepath.Base(path))
}

// newFolder creates a folder that only this user can read. It returns an error if the folder is not empty.
func newFolder(name string) error {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(name)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: name a new folder", name)
	}
	return err
}

// copyDatabase copies the database into file, and calls tell with the growing size of the copy.
func (o *Operator) copyDatabase(ctx context.Context, file string, tell func(Progress)) (int64, error) {
	most, err := o.store.Size(ctx)
	if err != nil {
		return 0, err
	}
	done := make(chan error, 1)
	go func() { done <- o.store.BackupTo(ctx, file) }()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if info, err := os.Stat(file); err == nil {
				tell(Progress{What: "database", Done: info.Size(), Most: max(most, info.Size())})
			}
		case err := <-done:
			if errors.Is(err, sqlstore.ErrNoBackup) {
				err = errMySQL
			}
			if err != nil {
				return 0, err
			}
			return finishDatabase(file, tell)
		}
	}
}

// finishDatabase syncs the copy and makes it readable only by this user. It returns its size in bytes.
func finishDatabase(file string, tell func(Progress)) (int64, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	info, err := f.Stat()
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err != nil {
		return 0, err
	}
	tell(Progress{What: "database", Done: info.Size(), Most: info.Size()})
	return info.Size(), nil
}

// copyFiles copies the files below a folder, except unfinished uploads. It skips files that are deleted meanwhile.
func copyFiles(ctx context.Context, from, to string, tell func(Progress)) (n int, bytes int64, err error) {
	told := time.Now()
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		rel, relErr := filepath.Rel(from, path)
		if err := errors.Join(err, relErr, ctx.Err()); err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir() && rel == "tmp":
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		size, err := copyFile(ctx, path, target)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		n, bytes = n+1, bytes+size
		if now := time.Now(); now.Sub(told) > progressEvery {
			told = now
			tell(Progress{What: "files", Done: bytes})
		}
		return err
	})
	tell(Progress{What: "files", Done: bytes, Most: bytes})
	return n, bytes, err
}

func copyFile(ctx context.Context, from, to string) (int64, error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(out, contextReader{ctx, in})
	return n, errors.Join(err, out.Sync(), out.Close())
}

// A contextReader ends with its context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
