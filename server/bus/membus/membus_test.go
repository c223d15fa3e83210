package membus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func publish(t testing.TB, b *membus.Bus, seq int64) {
	t.Helper()
	if err := b.Publish(t.Context(), chat.Event{Seq: seq}); err != nil {
		t.Fatal(err)
	}
}

func TestPublishInOrder(t *testing.T) {
	b := membus.New()
	publish(t, b, 0) // to nobody
	var first, second []int64
	cancel := b.Subscribe(func(_ context.Context, e chat.Event) { first = append(first, e.Seq) })
	defer b.Subscribe(func(_ context.Context, e chat.Event) { second = append(second, e.Seq) })()
	for seq := range int64(3) {
		publish(t, b, seq)
	}
	cancel()
	cancel()
	publish(t, b, 3)
	if diff := cmp.Diff([][]int64{{0, 1, 2}, {0, 1, 2, 3}}, [][]int64{first, second}); diff != "" {
		t.Error(diff)
	}
}

func TestPublishAfterItsContextEnded(t *testing.T) {
	b := membus.New()
	var got int
	defer b.Subscribe(func(context.Context, chat.Event) { got++ })()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Publish(ctx, chat.Event{}); err != nil || got != 1 {
		t.Error(got, err)
	}
}

func TestSubscriberMayUseTheBus(t *testing.T) {
	b := membus.New()
	var got []int64
	var cancel func()
	cancel = b.Subscribe(func(_ context.Context, e chat.Event) {
		got = append(got, e.Seq)
		if e.Seq == 2 {
			cancel()
			return
		}
		b.Subscribe(func(context.Context, chat.Event) {})()
		publish(t, b, e.Seq+1)
	})
	publish(t, b, 0)
	publish(t, b, 9)
	if diff := cmp.Diff([]int64{0, 1, 2}, got); diff != "" {
		t.Error(diff)
	}
}

func TestConcurrentUse(t *testing.T) {
	b := membus.New()
	var got atomic.Int64
	defer b.Subscribe(func(context.Context, chat.Event) { got.Add(1) })()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 100 {
				cancel := b.Subscribe(func(context.Context, chat.Event) {})
				publish(t, b, 1)
				cancel()
			}
		})
	}
	wg.Wait()
	if got.Load() != 1600 {
		t.Errorf("%d events arrived", got.Load())
	}
}

func TestPresence(t *testing.T) {
	ctx, b := t.Context(), membus.New()
	steps := []struct {
		do   func(context.Context, int64) (bool, error)
		name string
		want bool
	}{
		{b.Disconnected, "none was there", false},
		{b.Connected, "first", true},
		{b.Connected, "second", false},
		{b.Disconnected, "one left", false},
		{b.Disconnected, "last", true},
		{b.Disconnected, "none left", false},
		{b.Connected, "first again", true},
	}
	for _, s := range steps {
		if got, err := s.do(ctx, 7); got != s.want || err != nil {
			t.Errorf("%s: %v, %v", s.name, got, err)
		}
	}
	online, err := b.Online(ctx, []int64{6, 7, 7, 8})
	if diff := cmp.Diff(map[int64]bool{7: true}, online); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestPresenceUnderConcurrency(t *testing.T) {
	ctx, b := t.Context(), membus.New()
	var firsts, lasts atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for id := range int64(10) {
				if first, _ := b.Connected(ctx, id); first {
					firsts.Add(1)
				}
				if last, _ := b.Disconnected(ctx, id); last {
					lasts.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if firsts.Load() != lasts.Load() || firsts.Load() < 10 {
		t.Errorf("%d firsts, %d lasts", firsts.Load(), lasts.Load())
	}
}

func BenchmarkPublish(b *testing.B) {
	bus := membus.New()
	defer bus.Subscribe(func(context.Context, chat.Event) {})()
	for b.Loop() {
		publish(b, bus, 1)
	}
}
