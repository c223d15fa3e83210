package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	partSize  = 5 << 20 // the minimum of S3
	maxParts  = 10_000  // the maximum of S3
	chunkSize = 64 << 10
	// discardTimeout bounds the cleanup after a failed upload.
	discardTimeout = 2 * time.Second
	maxSweep       = 1000
)

// Put implements chat.Blobs. It buffers at most 5 MiB of r in memory. A blob up to that size is one request; larger
// ones are sent in parts of it. The server checks the SHA-256 of every part, so an upload damaged on its way fails.
// An error of r is wrapped. A blob has at most 48 GiB.
func (s *S3) Put(ctx context.Context, r io.Reader) (string, error) {
	key := newKey()
	if err := s.put(ctx, s.name(key), reader{ctx, r}); err != nil {
		return "", fmt.Errorf("blob: put: %w", err)
	}
	return key, nil
}

func (s *S3) put(ctx context.Context, name string, r io.Reader) error {
	var first part
	if err := first.fill(r); err != nil {
		return err
	}
	if first.size == partSize {
		return s.putParts(ctx, name, &first, r)
	}
	err := s.send(ctx, &first, func(ctx context.Context, body io.Reader, sum string) error {
		_, err := s.core.PutObject(ctx, s.bucket, name, body, first.size, "", sum,
			minio.PutObjectOptions{DisableContentSha256: true}) // sum is signed instead
		return err
	})
	if err != nil {
		return s.discard(ctx, name, "", err)
	}
	return nil
}

// putParts sends p, then the rest of r through p.
func (s *S3) putParts(ctx context.Context, name string, p *part, r io.Reader) error {
	var id string
	err := s.call(ctx, func(w *watch) (err error) {
		id, err = s.core.NewMultipartUpload(w.ctx, s.bucket, name, minio.PutObjectOptions{})
		return err
	})
	if err == nil {
		err = s.fillParts(ctx, name, id, p, r)
	}
	if err != nil {
		return s.discard(ctx, name, id, err)
	}
	return nil
}

func (s *S3) fillParts(ctx context.Context, name, id string, p *part, r io.Reader) error {
	var parts []minio.CompletePart
	for p.size > 0 {
		if len(parts) == maxParts {
			return chat.Errorf(chat.KindTooLarge, "file not stored", "a file has at most %d bytes", int64(maxParts*partSize))
		}
		number := len(parts) + 1
		err := s.send(ctx, p, func(ctx context.Context, body io.Reader, sum string) error {
			sent, err := s.core.PutObjectPart(ctx, s.bucket, name, id, number, body, p.size,
				minio.PutObjectPartOptions{Sha256Hex: sum, DisableContentSha256: true})
			if err == nil {
				parts = append(parts, minio.CompletePart{PartNumber: number, ETag: sent.ETag})
			}
			return err
		})
		if err != nil {
			return err
		}
		if err := p.fill(r); err != nil {
			return err
		}
	}
	return s.call(ctx, func(w *watch) error {
		_, err := s.core.CompleteMultipartUpload(w.ctx, s.bucket, name, id, parts, minio.PutObjectOptions{})
		return err
	})
}

// send calls do with the content of p and its SHA-256.
func (s *S3) send(ctx context.Context, p *part, do func(ctx context.Context, body io.Reader, sum string) error) error {
	sum := p.sum()
	return s.call(ctx, func(w *watch) error {
		b := &body{rest: p.content(), heard: w.heard}
		defer b.close()
		return do(w.ctx, b, sum)
	})
}

// discard removes what a failed upload left. It returns err, joined with a failure of the cleanup, unless the server
// is unreachable in both. The upload's own context may have ended.
func (s *S3) discard(ctx context.Context, name, id string, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	var failed error
	if id != "" {
		failed = s.abort(ctx, name, id)
	}
	// The server may have begun or finished an upload although its response was lost.
	if failed == nil {
		failed = s.sweep(ctx, name, time.Time{})
	}
	if failed == nil || hasCode(failed, "AccessDenied") {
		failed = s.remove(ctx, name)
	}
	if failed == nil || chat.KindOf(err) == chat.KindUnavailable {
		return err
	}
	return errors.Join(err, fmt.Errorf("cleaning up: %w", failed))
}

// sweep removes our unfinished uploads whose names have prefix, or only those that began before then if it is not
// zero; at most 1000 at once.
func (s *S3) sweep(ctx context.Context, prefix string, then time.Time) error {
	var found minio.ListMultipartUploadsResult
	err := s.call(ctx, func(w *watch) (err error) {
		found, err = s.core.ListMultipartUploads(w.ctx, s.bucket, prefix, "", "", "", maxSweep)
		return err
	})
	if err != nil {
		return err
	}
	for _, u := range found.Uploads {
		if !s.ours(u.Key) || !then.IsZero() && u.Initiated.After(then) {
			continue
		}
		if err := s.abort(ctx, u.Key, u.UploadID); err != nil {
			return err
		}
	}
	return nil
}

// abort removes an unfinished upload. If there is none, that is not an error.
func (s *S3) abort(ctx context.Context, name, id string) error {
	err := s.call(ctx, func(w *watch) error { return s.core.AbortMultipartUpload(w.ctx, s.bucket, name, id) })
	if hasCode(err, "NoSuchUpload") {
		return nil
	}
	return err
}

// A part is the content of one request. Its memory grows as needed.
type part struct {
	chunks [][]byte // of chunkSize each
	size   int64
}

// fill replaces the content of p by as much of r as fits. It is less only at the end of r.
func (p *part) fill(r io.Reader) error {
	for p.size = 0; p.size < partSize; {
		chunk, at := int(p.size/chunkSize), p.size%chunkSize
		if chunk == len(p.chunks) {
			p.chunks = append(p.chunks, make([]byte, chunkSize))
		}
		n, err := r.Read(p.chunks[chunk][at:])
		p.size += int64(n)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// content returns the content of p, valid until the next fill.
func (p *part) content() net.Buffers {
	full, rest := p.size/chunkSize, p.size%chunkSize
	content := slices.Clone(p.chunks[:full])
	if rest > 0 {
		content = append(content, p.chunks[full][:rest])
	}
	return content
}

func (p *part) sum() string {
	h := sha256.New()
	for _, chunk := range p.content() {
		h.Write(chunk)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// A body is the part that the transport reads. The transport may continue reading after a failed request: close keeps
// it from the next content of the part.
type body struct {
	heard func()

	mu   sync.Mutex
	rest net.Buffers
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	b.heard()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rest.Read(p)
}

func (b *body) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rest = nil
}
