package blob

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/blob/blobtest"
	"github.com/onemeter/onemeter/server/chat"
)

// s3Config is of a bucket that no other test uses, and that is not there yet.
func s3Config(t testing.TB) S3Config {
	t.Helper()
	endpoint, bucket := needs.S3(t)
	return S3Config{Bucket: bucket, Prefix: "files/of im", Endpoint: endpoint, Create: true}
}

func openS3Test(t testing.TB, cfg S3Config) *S3 {
	t.Helper()
	s, err := OpenS3(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// objects lists what is in the bucket, unfinished uploads among it.
func objects(t *testing.T, s *S3) (names []string) {
	t.Helper()
	for o := range s.core.ListObjectsIter(t.Context(), s.bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		names = append(names, o.Key)
	}
	unfinished, err := s.core.ListMultipartUploads(t.Context(), s.bucket, "", "", "", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range unfinished.Uploads {
		names = append(names, "unfinished: "+u.Key)
	}
	return names
}

func expectNothing(t *testing.T, s *S3) {
	t.Helper()
	if left := objects(t, s); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// noise is n bytes that do not compress, as they are read.
func noise(n int64) io.Reader { return io.LimitReader(&repeated{}, n) }

// block is of such a length that parts in another order are other bytes.
var block = func() []byte {
	b := make([]byte, 1<<20+7)
	_, _ = rand.NewChaCha8(sha256.Sum256(nil)).Read(b) // never fails
	return b
}()

// repeated is block, over and over.
type repeated struct{ at int }

func (r *repeated) Read(p []byte) (int, error) {
	n := copy(p, block[r.at:])
	r.at = (r.at + n) % len(block)
	return n, nil
}

func TestS3(t *testing.T) {
	blobtest.Run(t, func(t *testing.T) chat.Blobs { return openS3Test(t, s3Config(t)) })
}

func TestS3BrokenUploadLeavesNothing(t *testing.T) {
	s := openS3Test(t, s3Config(t))
	for _, before := range []int64{0, 1, partSize - 1, partSize, partSize + 1, 3 * partSize} {
		// The multipart reader of a client that went away says just this.
		key, err := s.Put(t.Context(), io.MultiReader(noise(before), iotest.ErrReader(io.ErrUnexpectedEOF)))
		if key != "" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: key %q, %v", before, key, err)
		}
	}
	expectNothing(t, s)
}

func TestS3WithoutPrefix(t *testing.T) {
	cfg := s3Config(t)
	cfg.Prefix = ""
	s := openS3Test(t, cfg)
	key, err := s.Put(t.Context(), strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if got := objects(t, s); len(got) != 1 || got[0] != key {
		t.Errorf("there is %v, want %s", got, key)
	}
}

func TestS3BucketIsMadeByManyAtOnce(t *testing.T) {
	cfg := s3Config(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := OpenS3(t.Context(), cfg)
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestS3Refusals(t *testing.T) {
	for _, c := range []struct {
		name string
		spec func(t *testing.T, cfg *S3Config)
		says string
	}{
		{"no bucket", func(_ *testing.T, cfg *S3Config) { cfg.Create = false }, "there is no bucket"},
		{"unknown key", func(t *testing.T, _ *S3Config) { t.Setenv("AWS_ACCESS_KEY_ID", "nobody") }, "refuses the credentials"},
		{"wrong secret", func(t *testing.T, _ *S3Config) { t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong") }, "refuses the credentials"},
		{"another region", func(_ *testing.T, cfg *S3Config) { cfg.Region = "eu-west-1" }, "another region"},
		{"no credentials", func(t *testing.T, _ *S3Config) {
			t.Setenv("AWS_ACCESS_KEY_ID", "")
			t.Setenv("HOME", t.TempDir())
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1")
		}, "there are no credentials"},
		{"nobody listens", func(_ *testing.T, cfg *S3Config) { cfg.Endpoint = "http://127.0.0.1:1" }, "does not answer"},
		{"no TLS", func(_ *testing.T, cfg *S3Config) {
			cfg.Endpoint = strings.Replace(cfg.Endpoint, "http:", "https:", 1)
		}, "does not speak TLS"},
		{"no S3", func(t *testing.T, cfg *S3Config) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "<html>Welcome!<br></html>")
			}))
			t.Cleanup(srv.Close)
			cfg.Endpoint = srv.URL
		}, "does not speak S3"},
		{"a certificate of nobody", func(t *testing.T, cfg *S3Config) {
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of the handshake
			srv.StartTLS()
			t.Cleanup(srv.Close)
			cfg.Endpoint = srv.URL
		}, "not to be trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := s3Config(t)
			c.spec(t, &cfg)
			start := time.Now()
			s, err := OpenS3(t.Context(), cfg)
			if err == nil {
				_ = s.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want one that says %q", err, c.says)
			}
			for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"} {
				if secret := os.Getenv(name); secret != "" && strings.Contains(err.Error(), secret) {
					t.Errorf("the error holds %s: %v", name, err)
				}
			}
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// TestS3Memory sends 64 MiB while the heap is looked at, and reads them again.
func TestS3Memory(t *testing.T) {
	const size = 64 << 20
	s := openS3Test(t, s3Config(t))
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	look := func(at int64) {
		if at%(3<<20) == 0 {
			most = max(most, heap())
		}
	}
	key, err := s.Put(t.Context(), &spy{r: noise(size), look: look})
	if err != nil {
		t.Fatal(err)
	}
	used := int64(most) - int64(before)
	t.Logf("Put held %.1f MiB more than before", float64(used)/(1<<20))
	if used > 8<<20 {
		t.Errorf("Put of %d bytes held %d bytes, want less than 8 MiB", size, used)
	}
	f, err := s.Open(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	most = 0
	equal(t, &spy{r: f, look: look}, noise(size))
	if used := int64(most) - int64(before); used > 4<<20 {
		t.Errorf("reading of %d bytes held %d bytes, want less than 4 MiB", size, used)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// A spy reads 64 KiB at a time and looks each time at how much that was.
type spy struct {
	r    io.Reader
	n    int64
	look func(n int64)
}

func (s *spy) Read(p []byte) (int, error) {
	n, err := io.ReadFull(s.r, p[:min(len(p), 64<<10-int(s.n%(64<<10)))])
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	s.n += int64(n)
	s.look(s.n)
	return n, err
}

func equal(t *testing.T, got, want io.Reader) {
	t.Helper()
	g, w := sha256.New(), sha256.New()
	n, err1 := io.Copy(g, got)
	m, err2 := io.Copy(w, want)
	if err := errors.Join(err1, err2); err != nil || n != m || !bytes.Equal(g.Sum(nil), w.Sum(nil)) {
		t.Errorf("%d bytes came, want %d; or others; %v", n, m, err)
	}
}
