package server

import (
	"context"
	"fmt"
	"strings"

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
			return nil, err
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
		return nil, fmt.Errorf("open files %s: %w", folder, err)
	}
	s.close = append(s.close, files.Close)
	s.parts = append(s.parts, part{name: "files", optional: true, ping: files.Ping})
	return files, nil
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
