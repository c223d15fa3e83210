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

// An S3 keeps blobs as objects of a bucket, on Amazon or on whatever else
// speaks S3. It is safe for concurrent use, by several processes too.
//
// While the server is away, every method fails with a chat.Error of
// KindUnavailable: at once where connections are refused, after S3Config's
// Timeout where nothing is heard, and all works again when the server does.
//
// An upload that fails takes back what it sent. What it could not, since the
// server was away by then or the process was killed, is unfinished uploads,
// which [OpenS3] removes after a day, or a whole object under a key that nobody
// knows. Where the server forbids to list unfinished uploads (on Amazon, without
// s3:ListBucketMultipartUploads), have the bucket remove them by a lifecycle
// rule, AbortIncompleteMultipartUpload.
//
// Downloads go through this process, not by presigned URLs: a URL outlives the
// membership that allowed it, leads to an address that clients may not reach,
// and answers without the headers that keep a browser from running what it gets.
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
	// abandoned is how old an unfinished upload is that nobody works on any more.
	abandoned = 24 * time.Hour
)

// OpenS3 opens the bucket, makes it if cfg.Create says so and there is none,
// and removes what crashed uploads left below the prefix. It fails where the
// bucket cannot be used, and says why. The caller closes the S3.
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

// newS3 makes the client, and asks the server nothing.
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
		MaxRetries:   1, // call repeats, and bounds how long
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
		DisableCompression:  true, // bytes are kept as they came
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
		err = nil // the lifecycle rule does it
	}
	return err
}

// Ping tells whether the bucket can be used now, for a check of readiness.
func (s *S3) Ping(ctx context.Context) error {
	if err := s.list(ctx); err != nil {
		return fmt.Errorf("blob: ping: %w", err)
	}
	return nil
}

func (s *S3) list(ctx context.Context) error {
	return s.call(ctx, func(w *watch) error {
		// Not HEAD: its answer has no body, and so does not say what is wrong.
		for o := range s.core.ListObjectsIter(w.ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.prefix, MaxKeys: 1}) {
			return o.Err
		}
		return nil
	})
}

// create makes the bucket; another node may do so at the same time.
func (s *S3) create(ctx context.Context) error {
	err := s.call(ctx, func(w *watch) error {
		return s.core.MakeBucket(w.ctx, s.bucket, minio.MakeBucketOptions{})
	})
	if hasCode(err, "BucketAlreadyOwnedByYou", "BucketAlreadyExists") {
		return s.list(ctx)
	}
	return err
}

// Close closes the connections that nobody uses. Blobs that are open stay so.
func (s *S3) Close() error {
	s.own.CloseIdleConnections()
	return nil
}

// Delete implements chat.Blobs. In a bucket that keeps versions, the bytes stay
// until its lifecycle rule removes them.
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

// remove removes an object; one that is not there is no error.
func (s *S3) remove(ctx context.Context, name string) error {
	err := s.call(ctx, func(w *watch) error {
		return s.core.RemoveObject(w.ctx, s.bucket, name, minio.RemoveObjectOptions{})
	})
	if errors.Is(err, chat.ErrNotFound) {
		return nil
	}
	return err
}

// name is what the object of a valid key is called.
func (s *S3) name(key string) string { return path.Join(s.prefix, key) }

// ours tells whether an object of that name is the store's.
func (s *S3) ours(name string) bool {
	key := name[strings.LastIndexByte(name, '/')+1:]
	return validKey(key) && name == s.name(key)
}
