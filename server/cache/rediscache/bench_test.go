package rediscache_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

func BenchmarkLoadHeldHere(b *testing.B) {
	n, _ := twoNodes(b)
	n.get(b, 1, 1)
	source := n.source(1)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = n.Load(b.Context(), 1, source)
	}
}

// BenchmarkLoadFromRedis is of more keys than a node holds.
func BenchmarkLoadFromRedis(b *testing.B) {
	n, _ := twoNodes(b)
	for key := range 1000 {
		n.get(b, key, 1)
	}
	b.ReportAllocs()
	key := 0
	for b.Loop() {
		key = (key + 1) % 1000
		_, _, _ = n.Load(b.Context(), key, n.source(1))
	}
}

func BenchmarkDrop(b *testing.B) {
	n, _ := twoNodes(b)
	b.ReportAllocs()
	for b.Loop() {
		_ = n.Drop(b.Context(), 1)
	}
}

// BenchmarkCodecs is why values are JSON: gob describes the type with each.
func BenchmarkCodecs(b *testing.B) {
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	user := chat.User{ID: 1, Phone: "+123456789", Username: "somebody", Nickname: "Some Body", LastSeen: at, CreatedAt: at}
	b.Run("user/json", func(b *testing.B) { benchJSON(b, user) })
	b.Run("user/gob", func(b *testing.B) { benchGob(b, user) })
	for _, members := range []int{2, 500} {
		membership := chat.Membership{Conversation: chat.Conversation{ID: 1, Kind: chat.Group, CreatedAt: at}}
		for i := range members {
			membership.Members = append(membership.Members, chat.Member{UserID: int64(i), Role: chat.RoleMember, JoinedAt: at})
		}
		b.Run(fmt.Sprintf("membership%d/json", members), func(b *testing.B) { benchJSON(b, membership) })
		b.Run(fmt.Sprintf("membership%d/gob", members), func(b *testing.B) { benchGob(b, membership) })
	}
}

func benchJSON[V any](b *testing.B, v V) {
	var text []byte
	for b.Loop() {
		var back V
		text, _ = json.Marshal(v)
		_ = json.Unmarshal(text, &back)
	}
	b.ReportMetric(float64(len(text)), "bytes")
}

func benchGob[V any](b *testing.B, v V) {
	var n int
	for b.Loop() {
		var back V
		var text bytes.Buffer
		_ = gob.NewEncoder(&text).Encode(v)
		n = text.Len()
		_ = gob.NewDecoder(&text).Decode(&back)
	}
	b.ReportMetric(float64(n), "bytes")
}
