package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/chat"
)

// checkCopy returns an error if the copy of the folder from lacks files that the database names and that were made
// before began. It asks after the copying, so that files deleted meanwhile are not missed.
func (o *Operator) checkCopy(ctx context.Context, from, copied string, began time.Time) error {
	const page = 1000
	missing, named := 0, 0
	for after := int64(0); ; {
		files, err := o.store.NamedFiles(ctx, after, began, page)
		if err != nil {
			return err
		}
		for _, f := range files {
			has, err := blob.Has(copied, f.Key)
			if err != nil {
				return err
			}
			if named++; !has {
				missing++
			}
			after = f.ID
		}
		if len(files) < page {
			break
		}
	}
	if missing == 0 {
		return nil
	}
	return chat.Errorf(chat.KindNotFound, "the backup is incomplete", "%d of the %d files that the database names are not in %s: "+
		"name the server's store of files with --blob, and a new folder with --to; if --blob is right, these files are lost", missing, named, from)
}

// checkBucket returns an error if the bucket lacks files that the database names. It looks for a few: others ask a
// request each, and a wrong bucket has none.
func (o *Operator) checkBucket(ctx context.Context, began time.Time) (err error) {
	const few = 20
	files, err := o.store.NamedFiles(ctx, 0, began, few)
	if err != nil || len(files) == 0 {
		return err
	}
	cfg, err := blob.ParseS3URL(o.cfg.Blob)
	if err != nil {
		return fmt.Errorf("--blob: %w", err)
	}
	cfg.Create = false
	bucket, err := blob.OpenS3(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the database names files, and --blob cannot be opened: name the server's store of files with --blob: %w", err)
	}
	defer func() { err = errors.Join(err, bucket.Close()) }()
	missing := 0
	for _, f := range files {
		body, err := bucket.Open(ctx, f.Key)
		switch {
		case errors.Is(err, chat.ErrNotFound):
			missing++
		case err != nil:
			return err
		default:
			_ = body.Close() // nothing was read
		}
	}
	if missing == 0 {
		return nil
	}
	return chat.Errorf(chat.KindNotFound, "the backup is incomplete", "%d of the first %d files that the database names are not in the bucket %s: "+
		"name the server's store of files with --blob, and a new folder with --to; if --blob is right, these files are lost", missing, len(files), cfg.Bucket)
}
