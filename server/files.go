package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// openBlobs opens the store for the bytes of files.
func (s *Server) openBlobs(ctx context.Context, seen *observe.Observer) (chat.Blobs, error) {
	if s.cfg.onS3() {
		cfg, err := blob.ParseS3URL(s.cfg.Blob)
		if err != nil {
			return nil, err
		}
		cfg.Transport = seen.Transport
		var bucket *blob.S3
		err = s.awaited(ctx, "files", s.cfg.Blob, func() (err error) { bucket, err = blob.OpenS3(ctx, cfg); return err })
		if err != nil {
			return nil, fmt.Errorf("--blob: %w", err)
		}
		s.close = append(s.close, bucket.Close)
		s.parts = append(s.parts, part{name: "files", optional: true, ping: bucket.Ping})
		return bucket, nil
	}
	folder, err := s.cfg.blobPath()
	if err != nil {
		return nil, err
	}
	files, err := blob.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("--blob: folder %s: %w", folder, err)
	}
	s.close = append(s.close, files.Close)
	s.parts = append(s.parts, part{name: "files", optional: true, ping: files.Ping})
	return files, nil
}

// makeBlobFolder makes the folder of uploaded files, if they are kept in one, and reports whether it did not exist.
func (c Config) makeBlobFolder() (made bool, err error) {
	if c.onS3() {
		return false, nil
	}
	folder, err := c.blobPath()
	if err == nil {
		_, missing := os.Stat(folder)
		made = errors.Is(missing, fs.ErrNotExist)
		err = os.MkdirAll(folder, 0o700)
	}
	if err != nil {
		return false, fmt.Errorf("--blob: %w", err)
	}
	return made, nil
}

// warnNoFiles warns if the database names files, although their folder did not exist: most likely, --blob is wrong.
func (s *Server) warnNoFiles(ctx context.Context) error {
	files, err := s.store.NamedFiles(ctx, 0, time.Now(), 1)
	if err != nil || len(files) == 0 {
		return err
	}
	folder, err := s.cfg.blobPath()
	s.log.Warn("the database names files, but their folder does not exist and is made empty: correct --blob", "path", absolute(folder))
	return err
}

// onS3 reports whether files are kept on S3 rather than in a folder.
func (c Config) onS3() bool { return strings.HasPrefix(c.Blob, "s3://") }

func (c Config) checkBlob() error {
	if c.onS3() {
		_, err := blob.ParseS3URL(c.Blob)
		return err
	}
	_, err := c.blobPath()
	return err
}

// blobPath returns the folder of uploaded files.
func (c Config) blobPath() (string, error) { return pathOf(c.Blob, "file", "s3") }
