package blob

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/onemeter/onemeter/server/chat"
)

// An S3 keeps blobs as objects of a bucket, on Amazon or another S3 server. It is safe for concurrent use, also by
// several processes.
//
// While the server is unreachable, every method fails with a chat.Error of KindUnavailable: at once if it refuses
// connections, after S3Config.Timeout if it does not answer. When the server is back, everything works again.
//
// If an upload fails, what it sent is removed. If that fails too, because the server is unreachable or the process
// was killed, unfinished uploads stay, which [OpenS3] removes after a day, or a complete object stays whose key
// nobody knows. If the server forbids listing unfinished uploads (on Amazon, without s3:ListBucketMultipartUploads),
// give the bucket a lifecycle rule with AbortIncompleteMultipartUpload.
//
// Downloads go through this process, not through presigned URLs: a URL would stay valid after the user has left the
// conversation, may have an address that clients cannot reach, and is answered without the headers that prevent a
// browser from running the file.
type S3 struct {
	core    *minio.Core
	own     *http.Transport
	bucket  string
	prefix  string
	timeout time.Duration
}

var _ chat.Blobs = (*S3)(nil)

const (
	dialTimeout = 3 * time.Second
	idleTimeout = 30 * time.Second
	maxIdle     = 64 // connections
	// abandoned is the age at which an unfinished upload is removed.
	abandoned = 24 * time.Hour
)

// OpenS3 opens the bucket, creates it if cfg.Create is set and there is none, and removes unfinished uploads below
// the prefix. If the bucket cannot be used, the error says why. The caller must call Close.
func OpenS3(ctx context.Context, cfg S3Config) (*S3, error) {
	s, err := newS3(cfg)
	if err != nil {
		return nil, fmt.Errorf("blob: open S3: %w", err)
	}
	if err := s.prepare(ctx, cfg.Create); err != nil {
		return nil, fmt.Errorf("blob: open S3: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

// newS3 creates the client without contacting the server.
func newS3(cfg S3Config) (*S3, error) {
	if err := errors.Join(cfg.faults()...); err != nil {
		return nil, err
	}
	endpoint, err := url.Parse(cmp.Or(cfg.Endpoint, "https://s3.amazonaws.com"))
	if err != nil {
		return nil, errEndpoint
	}
	own, err := newTransport(cfg)
	if err != nil {
		return nil, err
	}
	var transport http.RoundTripper = own
	if cfg.Transport != nil {
		transport = cfg.Transport(own)
	}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:        awsCredentials(),
		Secure:       endpoint.Scheme == "https",
		Transport:    transport,
		Region:       cmp.Or(cfg.Region, os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION")),
		BucketLookup: lookup(cfg.PathStyle),
		MaxRetries:   1, // call retries, with a limit
	})
	if err != nil {
		return nil, err
	}
	return &S3{core, own, cfg.Bucket, cfg.Prefix, cmp.Or(cfg.Timeout, defaultTimeout)}, nil
}

func newTransport(cfg S3Config) (*http.Transport, error) {
	authorities, err := cfg.authorities()
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSHandshakeTimeout: dialTimeout,
		TLSClientConfig:     &tls.Config{RootCAs: authorities, InsecureSkipVerify: cfg.Insecure},
		MaxIdleConnsPerHost: maxIdle,
		IdleConnTimeout:     idleTimeout,
		DisableCompression:  true, // bytes are stored unchanged
	}, nil
}

func lookup(pathStyle *bool) minio.BucketLookupType {
	switch {
	case pathStyle == nil:
		return minio.BucketLookupAuto
	case *pathStyle:
		return minio.BucketLookupPath
	}
	return minio.BucketLookupDNS
}

func (s *S3) prepare(ctx context.Context, create bool) error {
	err := s.list(ctx)
	if create && hasCode(err, "NoSuchBucket") {
		err = s.create(ctx)
	}
	if err != nil {
		return err
	}
	err = s.sweep(ctx, s.prefix, time.Now().Add(-abandoned))
	if hasCode(err, "AccessDenied", "NotImplemented", "MethodNotAllowed") {
		err = nil // a lifecycle rule has to do it
	}
	return err
}

// Ping checks that the bucket can be used now.
func (s *S3) Ping(ctx context.Context) error {
	if err := s.list(ctx); err != nil {
		return fmt.Errorf("blob: ping: %w", err)
	}
	return nil
}

func (s *S3) list(ctx context.Context) error {
	return s.call(ctx, func(w *watch) error {
		// Not HEAD: its response has no body that says what is wrong.
		for o := range s.core.ListObjectsIter(w.ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix, MaxKeys: 1}) {
			return o.Err
		}
		return nil
	})
}

// create creates the bucket. Another node may do so at the same time.
func (s *S3) create(ctx context.Context) error {
	err := s.call(ctx, func(w *watch) error {
		return s.core.MakeBucket(w.ctx, s.bucket, minio.MakeBucketOptions{})
	})
	if hasCode(err, "BucketAlreadyOwnedByYou", "BucketAlreadyExists") {
		return s.list(ctx)
	}
	return err
}

// Close closes idle connections. Open blobs stay open.
func (s *S3) Close() error {
	s.own.CloseIdleConnections()
	return nil
}

// Delete implements chat.Blobs. In a bucket with versioning, the bytes stay until a lifecycle rule removes them.
func (s *S3) Delete(ctx context.Context, key string) error {
	err := ctx.Err()
	if err == nil && validKey(key) {
		err = s.remove(ctx, s.name(key))
	}
	if err != nil {
		return fmt.Errorf("blob: delete: %w", err)
	}
	return nil
}

// remove removes an object. If there is none, that is not an error.
func (s *S3) remove(ctx context.Context, name string) error {
	err := s.call(ctx, func(w *watch) error {
		return s.core.RemoveObject(w.ctx, s.bucket, name, minio.RemoveObjectOptions{})
	})
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	return err
}

// name returns the object name of a valid key.
func (s *S3) name(key string) string { return path.Join(s.prefix, key) }

// ours reports whether an object name belongs to the store.
func (s *S3) ours(name string) bool {
	key := name[strings.LastIndexByte(name, '/')+1:]
	return validKey(key) && name == s.name(key)
}
