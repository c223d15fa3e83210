package call

import (
	"context"
	"time"
)

// Hooks are told what becomes of calls, each once on all nodes together. A nil
// func is not called; the others must be quick and safe for concurrent use.
type Hooks struct {
	// Started: somebody calls.
	Started func(context.Context, Started)
	// Progressed: a call was answered, or is connected.
	Progressed func(context.Context, Progressed)
	// Finished: a call has ended.
	Finished func(context.Context, Finished)
}

// Started is the data of Hooks.Started.
type Started struct{ Type Type }

// Progressed is the data of Hooks.Progressed.
type Progressed struct {
	State State         // Answered or Connected
	After time.Duration // since the state before it
}

// Finished is the data of Hooks.Finished.
type Finished struct {
	Reason    Reason
	Connected bool          // its media was up
	Talk      time.Duration // since then
}

// told calls the hooks for what is between two states of a call; before is the
// zero Call for one that begins.
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
