package membus_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/bus/bustest"
	"github.com/onemeter/onemeter/server/bus/membus"
	"github.com/onemeter/onemeter/server/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestBus(t *testing.T) {
	bustest.Run(t, func(*testing.T) []bustest.Node { return []bustest.Node{membus.New()} })
}

func BenchmarkPublish(b *testing.B) {
	bus := membus.New()
	defer bus.Subscribe(func(context.Context, chat.Event) {})()
	for b.Loop() {
		if err := bus.Publish(b.Context(), chat.Event{Seq: 1}); err != nil {
			b.Fatal(err)
		}
	}
}
