package server_test

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/auth"
	"github.com/onemeter/onemeter/server/blob"
	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/cache/memcache"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/limit/memlimit"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// BenchmarkSend is the path of a message from Service.Send to its
// acknowledgement, on a real database that is synced at every commit: the more
// send at once, the more share a transaction.
func BenchmarkSend(b *testing.B) {
	benchmarkSend(b, func(b *testing.B) sqlstore.Config {
		return sqlstore.Config{Path: filepath.Join(b.TempDir(), "im.db")}
	}, 1)
}

// BenchmarkSendMySQL is BenchmarkSend on a server; w is the transactions at a
// time.
func BenchmarkSendMySQL(b *testing.B) {
	for _, writers := range []int{1, 4} {
		b.Run(fmt.Sprint("w=", writers), func(b *testing.B) {
			benchmarkSend(b, func(b *testing.B) sqlstore.Config { return sqlstore.Config{MySQL: needs.MySQL(b)} }, writers)
		})
	}
}

func benchmarkSend(b *testing.B, db func(*testing.B) sqlstore.Config, writers int) {
	for _, senders := range []int{1, 16, 256, 1024} {
		b.Run(fmt.Sprint("senders=", senders), func(b *testing.B) {
			svc, callers := newChat(b, 16, db(b), writers)
			to := chat.Target{ReceiverID: callers[1].UserID}
			if _, err := svc.Send(b.Context(), callers[0], chat.Draft{Target: to, Content: "first"}); err != nil {
				b.Fatal(err)
			}
			b.SetParallelism(max(1, senders/2)) // multiplied by GOMAXPROCS, which is 2 on the benchmark machines
			var n atomic.Int64
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				from := callers[n.Add(1)%int64(len(callers))]
				for pb.Next() {
					d := chat.Draft{Target: to, Content: "hello, world", ClientMsgID: fmt.Sprint(n.Add(1))}
					if _, err := svc.Send(b.Context(), from, d); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// newChat makes the domain on the embedded adapters, with some users.
func newChat(b *testing.B, users int, db sqlstore.Config, writers int) (*chat.Service, []chat.Caller) {
	b.Helper()
	dir := b.TempDir()
	store, err := sqlstore.Open(b.Context(), db)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := blob.Open(filepath.Join(dir, "files"))
	if err != nil {
		b.Fatal(err)
	}
	bus := membus.New()
	const keys = 1000
	svc := chat.New(chat.Config{
		Store: store, Blobs: blobs, Bus: bus, Presence: bus,
		Sessions:    memcache.New[string, chat.Session](keys, time.Hour),
		Memberships: memcache.New[int64, chat.Membership](keys, time.Hour),
		Directs:     memcache.New[chat.Pair, int64](keys, time.Hour),
		Users:       memcache.New[int64, chat.User](keys, time.Hour),
		Messages:    memlimit.New[int64](0, 0, keys), LoginAccounts: memlimit.New[string](0, 0, keys),
		LoginAddrs: memlimit.New[string](0, 0, keys), Registrations: memlimit.New[string](0, 0, keys),
		Hasher: auth.NewHasher(), Signer: auth.NewSigner(make([]byte, 32)),
		Limits: chat.Limits{Writers: writers},
	})
	b.Cleanup(func() {
		svc.Close()
		_ = blobs.Close()
		_ = store.Close()
	})
	callers := make([]chat.Caller, users)
	for i := range callers {
		u, err := store.CreateUser(b.Context(), chat.User{Phone: fmt.Sprint(10000 + i), Role: chat.RoleUser}, "")
		if err != nil {
			b.Fatal(err)
		}
		callers[i] = chat.Caller{UserID: u.ID}
	}
	return svc, callers
}
