package chat

import (
	"context"
	"slices"
	"testing"
)

// TestHeldEventsStayInOrderWhenFull: the last event to come may have the lowest Seq.
func TestHeldEventsStayInOrderWhenFull(t *testing.T) {
	a := newArrivals()
	var got, want []int64
	a.deliver = func(_ context.Context, e Event) { got = append(got, e.Seq) }
	event := func(seq int64) Event { return Event{Type: EventMessageNew, ConversationID: 1, Seq: seq} }
	a.pass(t.Context(), event(1))
	for i := range int64(heldEvents) {
		a.hold(t.Context(), event(3+i), func(int64) {})
	}
	a.hold(t.Context(), event(2), func(int64) {})
	for seq := range int64(heldEvents) + 2 {
		want = append(want, seq+1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("delivered %d, the first %v, the last %v", len(got), got[:min(3, len(got))], got[max(0, len(got)-3):])
	}
	if last := a.last(1); last != heldEvents+2 || len(a.held) != 0 {
		t.Errorf("last is %d, and %d are held", last, len(a.held[1]))
	}
}
