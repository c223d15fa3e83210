package redisbus_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/chat"
)

func benchEvent(members int) chat.Event {
	at := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
	to := make([]int64, members)
	for i := range to {
		to[i] = 1_000_000 + int64(i)*7
	}
	sender := chat.FrameSender{ID: 1_000_000, Username: "somebody", Nickname: "Some Body"}
	return chat.Event{
		Type: chat.EventMessageNew, To: to, At: at,
		Payload: chat.MessageNew{
			Message: chat.InFrame(chat.Message{ID: 1, SenderID: sender.ID, Content: "a message of the usual length, or so", Type: chat.TypeText, CreatedAt: at, UpdatedAt: at}),
			Chat:    chat.FrameChat{ID: 2, Kind: chat.Group, Title: "a group"},
			Sender:  sender,
		},
		ConversationID: 2, Seq: 3, MessageID: 1, From: sender.ID,
	}
}

// BenchmarkPublish is what the caller waits for.
func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{2, 500} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			url, prefix := needs.Redis(b)
			bus := redisbus.New(connect(b, url), redisbus.Config{Prefix: prefix})
			bus.Start(b.Context())
			defer bus.Close()
			e := benchEvent(members)
			b.ReportAllocs()
			for b.Loop() {
				_ = bus.Publish(b.Context(), e)
			}
			b.ReportMetric(float64(bus.Stats().Dropped), "dropped")
		})
	}
}

// BenchmarkAcross is from Publish on one node to the subscriber of another.
func BenchmarkAcross(b *testing.B) {
	for _, members := range []int{2, 500} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			url, prefix := needs.Redis(b)
			here := redisbus.New(connect(b, url), redisbus.Config{Prefix: prefix})
			there := redisbus.New(connect(b, url), redisbus.Config{Prefix: prefix})
			var got, delay atomic.Int64
			there.Subscribe(func(_ context.Context, e chat.Event) {
				got.Add(1)
				delay.Add(int64(time.Since(e.At)))
			})
			for _, n := range []*redisbus.Bus{here, there} {
				n.Start(b.Context())
				defer n.Close()
			}
			e := benchEvent(members)
			b.ReportAllocs()
			sent := int64(0)
			for b.Loop() {
				for sent-got.Load() > 1000 {
					time.Sleep(50 * time.Microsecond)
				}
				e.At = time.Now()
				_ = here.Publish(b.Context(), e)
				sent++
			}
			needs.Eventually(b, "all came", func() bool { return got.Load() == sent })
			b.ReportMetric(float64(delay.Load())/float64(sent)/1e6, "ms/delay")
		})
	}
}

// BenchmarkDelay is one event at a time: how late another node gets it.
func BenchmarkDelay(b *testing.B) {
	url, prefix := needs.Redis(b)
	here := redisbus.New(connect(b, url), redisbus.Config{Prefix: prefix})
	there := redisbus.New(connect(b, url), redisbus.Config{Prefix: prefix})
	came := make(chan struct{}, 1)
	there.Subscribe(func(context.Context, chat.Event) { came <- struct{}{} })
	for _, n := range []*redisbus.Bus{here, there} {
		n.Start(b.Context())
		defer n.Close()
	}
	e := benchEvent(2)
	for b.Loop() {
		_ = here.Publish(b.Context(), e)
		<-came
	}
}

// BenchmarkRecipients compares the bytes of 500 recipients with plain JSON.
func BenchmarkRecipients(b *testing.B) {
	e := benchEvent(500)
	b.Run("differences", func(b *testing.B) {
		var n int
		for b.Loop() {
			n = len(redisbus.EncodeIDs(e.To))
		}
		b.ReportMetric(float64(n), "bytes")
	})
	b.Run("json", func(b *testing.B) {
		var raw []byte
		for b.Loop() {
			raw, _ = json.Marshal(e.To)
		}
		b.ReportMetric(float64(len(raw)), "bytes")
	})
}
