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

// A Backup is what was copied into a folder.
type Backup struct {
	Folder    string `json:"folder"`
	Database  int64  `json:"database_bytes"`
	Files     int    `json:"files"`
	FileBytes int64  `json:"file_bytes"`
	Secret    bool   `json:"secret"` // jwt.secret is in it
}

// A Progress is how far a backup has come.
type Progress struct {
	What       string // "database" or "files"
	Done, Most int64  // bytes; Most of the database is about right, and of files 0: not known
}

var errMySQL = errors.New("the database is MySQL, which has its own tool: mysqldump --single-transaction --routines --triggers NAME > im.sql; " +
	"then copy the files, which may be newer than the database and never older")

// progressEvery is how often a copy that goes on tells how far it has come.
const progressEvery = time.Second

// Backup copies the database, as it is at one moment, the files and the secret
// that is beside the database into a new folder, while servers may run. What
// fails leaves the folder behind, as it is by then. Files come after the database:
// there are all that it names.
func (o *Operator) Backup(ctx context.Context, folder string, tell func(Progress)) (Backup, error) {
	b := Backup{Folder: folder}
	db, err := o.cfg.database()
	if err != nil {
		return b, err
	}
	if db.MySQL != "" {
		return b, errMySQL
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
	if o.cfg.onS3() {
		return b, nil
	}
	files, err := o.cfg.blobPath()
	if err != nil {
		return b, err
	}
	b.Files, b.FileBytes, err = copyFiles(ctx, files, filepath.Join(folder, "files"), tell)
	return b, err
}

func (o *Operator) noteBackup(ctx context.Context, folder string) error {
	return o.store.AddAudit(ctx, chat.AuditEntry{
		Level: chat.LevelInfo, Module: chat.ModuleSystem, Message: "backup into " + folder, CreatedAt: time.Now(),
	})
}

// newFolder makes a folder that only this user can read, and wants it empty.
func newFolder(name string) error {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(name)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s holds something already: name a new folder", name)
	}
	return err
}

// copyDatabase tells how the copy grows while it is made.
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
			return sealed(file, tell)
		}
	}
}

// sealed makes a file durable and readable by nobody else, and tells that it is whole.
func sealed(file string, tell func(Progress)) (int64, error) {
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

// copyFiles copies what is below a folder, uploads on their way left out. One
// that is deleted meanwhile is none.
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
