package blob

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	shortTimeout = 2 * time.Second // a busy server's own silences are shorter
	// soon is when a call has failed whatever happened: its own timeout, that of
	// taking back, and a machine that is busy.
	soon = 12 * time.Second
)

// away expects err to say that S3 is away, soon after start.
func away(t *testing.T, start time.Time, err error) {
	t.Helper()
	if chat.KindOf(err) != chat.KindUnavailable {
		t.Errorf("the error is %v, want one of kind unavailable", err)
	}
	took := time.Since(start)
	t.Logf("after %v: %v", took.Round(time.Millisecond), err)
	if took > soon {
		t.Errorf("it took %v", took)
	}
}

// works expects an upload to pass, and removes it.
func works(t *testing.T, s *S3) {
	t.Helper()
	key, err := s.Put(t.Context(), noise(partSize+1))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, f, noise(partSize+1))
	if err := errors.Join(f.Close(), s.Delete(t.Context(), key)); err != nil {
		t.Error(err)
	}
}

func TestS3CutOffDuringPut(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	l := linked(t, &cfg)
	s := openS3Test(t, cfg)
	for _, when := range []int64{1, 2*partSize + 1, 4 * partSize} {
		start := time.Now()
		_, err := s.Put(t.Context(), at(when, noise(4*partSize), l.cut))
		away(t, start, err)
		l.listen()
		works(t, s)
	}
	l.cut()
	_, err := s.Open(t.Context(), newKey())
	away(t, time.Now(), err)
	away(t, time.Now(), s.Delete(t.Context(), newKey()))
	away(t, time.Now(), s.Ping(t.Context()))
	l.listen()
	// What could not be taken back is there, and stays so long as it is young.
	openS3Test(t, cfg)
	if left := objects(t, s); len(left) != 2 {
		t.Errorf("left behind: %v, want two unfinished uploads", left)
	}
	if err := s.sweep(t.Context(), s.prefix, time.Now().Add(time.Minute)); err != nil {
		t.Error(err)
	}
	expectNothing(t, s)
}

func TestS3BrokenConnectionsDuringPut(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	l := linked(t, &cfg)
	s := openS3Test(t, cfg)
	for _, when := range []int64{1, 2*partSize + 1, 4 * partSize} {
		key, err := s.Put(t.Context(), at(when, noise(4*partSize), l.drop))
		if err != nil {
			t.Fatal(err)
		}
		f, err := s.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, at(when, f, l.drop), noise(4*partSize))
		if err := errors.Join(f.Close(), s.Delete(t.Context(), key)); err != nil {
			t.Error(err)
		}
	}
	expectNothing(t, s)
}

func TestS3SilentDuringPut(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	cfg.Timeout = shortTimeout
	l := linked(t, &cfg)
	s := openS3Test(t, cfg)
	var wg sync.WaitGroup
	for range 8 { // at once: none waits for another
		wg.Go(func() {
			start := time.Now()
			_, err := s.Put(t.Context(), at(partSize+1, noise(2*partSize), l.freeze))
			away(t, start, err)
		})
	}
	wg.Wait()
	l.drop() // what comes late must not be taken for these uploads'
	l.thaw()
	works(t, s)
}

func TestS3CancelledPutLeavesNothing(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	l := linked(t, &cfg)
	s := openS3Test(t, cfg)
	for _, when := range []int64{0, 1, partSize, 2*partSize + 1, 4 * partSize} {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := s.Put(ctx, at(when, noise(4*partSize), cancel)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d bytes: %v", when, err)
		}
		cancel()
	}
	expectNothing(t, s)

	// In the middle of a request that gets no answer.
	ctx, cancel := context.WithCancel(t.Context())
	l.freeze()
	start := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Put(ctx, noise(4*partSize)); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	wg.Go(cancel)
	wg.Wait()
	if took := time.Since(start); took > soon {
		t.Errorf("it took %v", took)
	}
}

func TestS3AwayDuringRead(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	direct := openS3Test(t, cfg)
	cfg.Timeout = shortTimeout
	l := linked(t, &cfg)
	s := openS3Test(t, cfg)
	const size = 32 << 20 // more than the buffers of sockets hold
	key, err := direct.Put(t.Context(), noise(size))
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct{ begin, end func() }{{l.cut, l.listen}, {l.freeze, l.thaw}} {
		f, err := s.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		want := noise(size)
		equal(t, io.LimitReader(f, partSize), io.LimitReader(want, partSize))
		fault.begin()
		start := time.Now()
		n, err := io.Copy(io.Discard, f)
		away(t, start, err)
		fault.end()
		// The same reader goes on where it was.
		if _, err := io.CopyN(io.Discard, want, n); err != nil {
			t.Fatal(err)
		}
		equal(t, f, want)
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A client that is slow to take what it asked for is not the server's fault.
func TestS3IsNotWatchedBetweenReads(t *testing.T) {
	t.Parallel()
	s := openS3Test(t, s3Config(t))
	key, err := s.Put(t.Context(), noise(partSize))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.ReadFull(f, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	if f.(*object).watch.timer.Stop() {
		t.Error("the watch runs while nobody reads")
	}
}

func TestS3ReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := openS3Test(t, s3Config(t))
	key, err := s.Put(t.Context(), noise(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	f, err := s.Open(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, at(partSize, f, cancel)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

func TestS3DeletedWhileOpen(t *testing.T) {
	t.Parallel()
	s := openS3Test(t, s3Config(t))
	key, err := s.Put(t.Context(), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
}

// damage changes one byte of a request's body on its way.
func damage(r *http.Request) {
	if r.Method != http.MethodPut || r.Body == nil {
		return
	}
	content, _ := io.ReadAll(r.Body)
	if len(content) > 0 {
		content[len(content)/2]++
	}
	r.Body = io.NopCloser(bytes.NewReader(content))
}

func TestS3DamageOnTheWay(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1, 2*partSize + 1} {
		cfg := s3Config(t)
		tr := seen(&cfg)
		s := openS3Test(t, cfg)
		var damaged int
		tr.meddle = func(_ int64, r *http.Request) *http.Response {
			if damaged == 0 && r.Method == http.MethodPut {
				damage(r)
				damaged++
			}
			return nil
		}
		key, err := s.Put(t.Context(), noise(size)) // is sent again
		if err != nil || damaged != 1 {
			t.Fatal(err, damaged)
		}
		tr.meddle = nil
		f, err := s.Open(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, f, noise(size))
		if err := errors.Join(f.Close(), s.Delete(t.Context(), key)); err != nil {
			t.Error(err)
		}
		tr.meddle = func(_ int64, r *http.Request) *http.Response {
			damage(r)
			return nil
		}
		start := time.Now()
		_, err = s.Put(t.Context(), noise(size))
		away(t, start, err)
		expectNothing(t, s)
	}
}

func TestS3Overload(t *testing.T) {
	t.Parallel()
	cfg := s3Config(t)
	tr := seen(&cfg)
	s := openS3Test(t, cfg)
	busy := func(fails int64) func(int64, *http.Request) *http.Response {
		var n int64
		return func(_ int64, r *http.Request) *http.Response {
			if n++; n > fails {
				return nil
			}
			return &http.Response{
				StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Request: r,
				Body: io.NopCloser(strings.NewReader("<Error><Code>SlowDown</Code></Error>")),
			}
		}
	}
	tr.meddle = busy(attempts - 1)
	if _, err := s.Open(t.Context(), newKey()); !errors.Is(err, chat.ErrNotFound) {
		t.Error(err)
	}
	tr.meddle = busy(1 << 30)
	before := tr.requests.Load()
	away(t, time.Now(), s.Ping(t.Context()))
	if n := tr.requests.Load() - before; n != attempts {
		t.Errorf("there were %d requests, want %d", n, attempts)
	}
}

func TestS3Explains(t *testing.T) {
	s, err := newS3(S3Config{Bucket: "bucket", Endpoint: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		answer minio.ErrorResponse
		says   string
		kind   chat.Kind
	}{
		{minio.ErrorResponse{Code: "AccessDenied", StatusCode: 403}, "allow the credentials s3:ListBucket", chat.KindInternal},
		{minio.ErrorResponse{Code: "PermanentRedirect", StatusCode: 301, Region: "eu-west-1"}, "set region=eu-west-1", chat.KindInternal},
		{minio.ErrorResponse{Code: "BucketAlreadyExists", StatusCode: 409}, "choose another name", chat.KindInternal},
		{minio.ErrorResponse{Code: "RequestTimeTooSkewed", StatusCode: 403}, "clock", chat.KindInternal},
		{minio.ErrorResponse{Code: "405 Method Not Allowed", StatusCode: 405}, "unlike S3", chat.KindInternal},
		{minio.ErrorResponse{Code: "InvalidRequest", StatusCode: 400}, "answered InvalidRequest", chat.KindInternal},
		{minio.ErrorResponse{Code: "InternalError", StatusCode: 500}, "does not answer", chat.KindUnavailable},
		{minio.ErrorResponse{Code: "x", StatusCode: 429}, "does not answer", chat.KindUnavailable},
		{minio.ErrorResponse{Code: "RequestTimeout", StatusCode: 400}, "does not answer", chat.KindUnavailable},
	} {
		err := s.explain(c.answer)
		if !strings.Contains(err.Error(), c.says) || chat.KindOf(err) != c.kind || !errors.Is(err, c.answer) {
			t.Errorf("%s: %v, of kind %s", c.answer.Code, err, chat.KindOf(err))
		}
	}
}
