package call

import (
	"context"
	"time"
)

// Hooks are called for events of calls, once for each event over all nodes. A nil func is not called; the others must
// be fast and safe for concurrent use.
type Hooks struct {
	// Started: a user calls another.
	Started func(context.Context, Started)
	// Progressed: a call was answered, or its media connected.
	Progressed func(context.Context, Progressed)
	// Finished: a call has ended.
	Finished func(context.Context, Finished)
}

// Started is the data of Hooks.Started.
type Started struct{ Type Type }

// Progressed is the data of Hooks.Progressed.
type Progressed struct {
	State State         // Answered or Connected
	After time.Duration // since the previous state
}

// Finished is the data of Hooks.Finished.
type Finished struct {
	Reason    Reason
	Connected bool          // its media was up, at some time
	Talk      time.Duration // how long the media was up
}

// told calls the hooks for the change between two states of a call; before is the zero Call for a new one.
func (h *Hooks) told(ctx context.Context, before, after Call) {
	if before.State == "" && h.Started != nil {
		h.Started(ctx, Started{Type: after.Type})
	}
	if before.State == after.State {
		return
	}
	switch after.State {
	case Answered:
		h.progressed(ctx, Answered, after.AnsweredAt.Sub(after.CreatedAt))
	case Connected:
		h.progressed(ctx, Connected, after.ConnectedAt.Sub(after.AnsweredAt))
	case Ended:
		if h.Finished != nil {
			h.Finished(ctx, Finished{after.Reason, !after.ConnectedAt.IsZero(), after.talk(after.EndedAt)})
		}
	}
}

func (h *Hooks) progressed(ctx context.Context, s State, after time.Duration) {
	if h.Progressed != nil {
		h.Progressed(ctx, Progressed{State: s, After: max(after, 0)})
	}
}
