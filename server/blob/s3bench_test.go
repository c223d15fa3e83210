package blob

import (
	"errors"
	"io"
	"testing"

	"github.com/onemeter/onemeter/server/chat"
)

const benchSize = 1 << 20

func eachStore(b *testing.B, bench func(b *testing.B, s chat.Blobs)) {
	b.Run("local", func(b *testing.B) { bench(b, openTest(b, b.TempDir())) })
	b.Run("S3", func(b *testing.B) { bench(b, openS3Test(b, s3Config(b))) })
}

func BenchmarkPut1MiB(b *testing.B) {
	eachStore(b, func(b *testing.B, s chat.Blobs) {
		b.SetBytes(benchSize)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Put(b.Context(), noise(benchSize)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOpen1MiB(b *testing.B) {
	eachStore(b, func(b *testing.B, s chat.Blobs) {
		key, err := s.Put(b.Context(), noise(benchSize))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(benchSize)
		b.ReportAllocs()
		for b.Loop() {
			f, err := s.Open(b.Context(), key)
			if err != nil {
				b.Fatal(err)
			}
			_, err = io.Copy(io.Discard, f)
			if err := errors.Join(err, f.Close()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
