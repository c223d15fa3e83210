package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/minio/minio-go/v7"

	"github.com/onemeter/onemeter/server/chat"
)

// Open implements chat.Blobs. It only asks for the size. Read fetches bytes from the position set by Seek. If a
// connection breaks, reading continues over another. The blob can be read until ctx ends.
func (s *S3) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	o := &object{s: s, ctx: ctx, name: s.name(key)}
	err := ctx.Err()
	if err == nil && !validKey(key) {
		err = chat.ErrNotFound
	}
	if err == nil {
		err = s.call(ctx, func(w *watch) error {
			info, err := s.core.StatObject(w.ctx, s.bucket, o.name, minio.StatObjectOptions{})
			o.size = info.Size
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("blob: open: %w", err)
	}
	return o, nil
}

// An object reads a blob. Only one goroutine at a time may use it.
type object struct {
	s      *S3
	ctx    context.Context
	name   string
	size   int64
	at     int64
	closed bool

	// The current response, if any.
	body  io.ReadCloser
	watch *watch
	came  bool // some bytes of it have been read
}

// Read implements io.Reader.
func (o *object) Read(p []byte) (int, error) {
	if o.closed {
		return 0, fmt.Errorf("blob: read: %w", fs.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	for o.at < o.size {
		n, err := o.read(p)
		if err != nil {
			return n, fmt.Errorf("blob: read: %w", err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, io.EOF
}

// read reads some bytes. It returns none if the connection broke and the caller should try another, which is so only
// if this one delivered something.
func (o *object) read(p []byte) (int, error) {
	if o.body == nil {
		if err := o.fetch(); err != nil {
			return 0, err
		}
	}
	o.watch.heard()
	n, err := o.body.Read(p[:min(int64(len(p)), o.size-o.at)])
	o.watch.pause()
	o.at += int64(n)
	o.came = o.came || n > 0
	if err == nil || o.at == o.size {
		return n, nil
	}
	silent, came := o.watch.silent(), o.came
	o.drop()
	switch {
	case n > 0:
		return n, nil
	case o.ctx.Err() != nil:
		return 0, o.ctx.Err()
	case silent:
		return 0, o.s.away(errSilent)
	case !came:
		return 0, o.s.away(fmt.Errorf("after %d of %d bytes: %w", o.at, o.size, err))
	}
	return 0, nil
}

// fetch requests everything from the current position. The response lives as long as its watch.
func (o *object) fetch() error {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(o.at, o.size-1); err != nil {
		return err
	}
	return o.s.begin(o.ctx, func(w *watch) error {
		body, info, _, err := o.s.core.GetObject(w.ctx, o.s.bucket, o.name, opts)
		if err == nil && info.Size != o.size-o.at {
			err = errors.Join(fmt.Errorf("%d bytes came, not %d", info.Size, o.size-o.at), body.Close())
		}
		if err == nil {
			w.pause()
			o.body, o.watch, o.came = body, w, false
		}
		return err
	})
}

// drop closes the current response.
func (o *object) drop() {
	if o.body == nil {
		return
	}
	o.watch.stop()
	_ = o.body.Close() // nothing was written
	o.body, o.watch = nil, nil
}

// Seek implements io.Seeker. It does not contact the server.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.size
	case io.SeekStart:
	default:
		return 0, errors.New("blob: seek: no such whence")
	}
	if offset < 0 {
		return 0, errors.New("blob: seek: before the start")
	}
	if o.closed {
		return 0, fmt.Errorf("blob: seek: %w", fs.ErrClosed)
	}
	if offset != o.at {
		o.drop()
		o.at = offset
	}
	return offset, nil
}

// Close implements io.Closer. It may be called again.
func (o *object) Close() error {
	o.drop()
	o.closed = true
	return nil
}
