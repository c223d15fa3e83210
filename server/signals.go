package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/sqlstore"
)

// How nodes notice what imserver admin does, which has nothing but the database in
// common with them.
const (
	signalEvery   = time.Second
	signalPage    = 500
	signalOverlap = 100 // ids that are looked at once more: they may be committed out of turn
	signalKept    = time.Hour
	signalEvent   = "event"
)

// A wireEvent is an event as a signal carries it: its payload stays JSON.
type wireEvent struct {
	chat.Event
	Payload json.RawMessage `json:"payload,omitempty"`
}

// A follower looks for signals.
type follower struct {
	store *sqlstore.Store
	apply func(context.Context, sqlstore.Signal) error
	last  int64
	seen  map[int64]bool // of the last signalOverlap ids
	swept time.Time      // when old ones were deleted
}

// followSignals has this node do what signals tell from now on. What is cached
// is loaded after it has begun.
func (s *Server) followSignals(ctx context.Context) error {
	f := &follower{store: s.store, apply: s.obey, seen: make(map[int64]bool)}
	obey := f.apply
	f.apply = func(context.Context, sqlstore.Signal) error { return nil } // of those that were there before
	if err := f.look(ctx); err != nil {
		return err
	}
	f.apply = obey
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(signalEvery); ; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
			if err := f.lookWithin(ctx, pollEvery); err != nil && ctx.Err() == nil {
				s.log.Warn("what imserver admin does is noticed late", "err", err)
			}
		}
	}()
	s.close = append(s.close, func() error { cancel(); <-done; return nil })
	return nil
}

func (f *follower) lookWithin(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	err := f.look(ctx)
	if now := time.Now(); err == nil && now.Sub(f.swept) > signalKept {
		f.swept = now
		err = f.store.DeleteSignals(ctx, now.Add(-signalKept))
	}
	return err
}

// look obeys the signals that were not seen. One that fails is tried again.
func (f *follower) look(ctx context.Context) error {
	after := max(f.last-signalOverlap, 0)
	for {
		signals, err := f.store.Signals(ctx, after, signalPage)
		if err != nil {
			return err
		}
		for _, x := range signals {
			if after = x.ID; f.seen[x.ID] {
				continue
			}
			if err := f.apply(ctx, x); err != nil {
				return fmt.Errorf("signal %d: %w", x.ID, err)
			}
			f.seen[x.ID] = true
			f.last = max(f.last, x.ID)
		}
		if len(signals) < signalPage {
			break
		}
	}
	for id := range f.seen {
		if id < f.last-signalOverlap {
			delete(f.seen, id)
		}
	}
	return nil
}

// obey forgets what a signal says is old, or hands the event that it carries to
// the connections of this node.
func (s *Server) obey(ctx context.Context, x sqlstore.Signal) error {
	if drop, ok := s.drops[x.Kind]; ok {
		return drop(ctx, x.Body)
	}
	if x.Kind != signalEvent {
		s.log.Warn("a signal of another version is ignored", "kind", x.Kind)
		return nil
	}
	var e wireEvent
	if err := json.Unmarshal(x.Body, &e); err != nil {
		s.log.Warn("a signal is ignored that cannot be read", "id", x.ID, "err", err)
		return nil
	}
	e.Event.Payload = e.Payload
	s.chat.Receive(ctx, e.Event)
	return nil
}

// dropsOf lets signals drop what a cache has.
func dropsOf[K comparable, V any](s *Server, name string, cache chat.Cache[K, V]) {
	s.drops[name] = func(ctx context.Context, body []byte) error {
		var keys []K
		if err := json.Unmarshal(body, &keys); err != nil {
			s.log.Warn("a signal is ignored that cannot be read", "kind", name, "err", err)
			return nil
		}
		return cache.Drop(ctx, keys...)
	}
}

// A signaller is the bus of a process that is no node.
type signaller struct{ store *sqlstore.Store }

// Publish implements chat.Bus: the nodes take it from there.
func (b signaller) Publish(ctx context.Context, e chat.Event) error {
	payload, err := json.Marshal(e.Payload)
	if err != nil {
		return err
	}
	body, err := json.Marshal(wireEvent{e, payload})
	if err != nil {
		return err
	}
	return b.store.AddSignal(ctx, signalEvent, body, time.Now())
}

// A signalCache keeps nothing, and has the nodes forget what they keep.
type signalCache[K comparable, V any] struct {
	store *sqlstore.Store
	name  string
}

// Load implements chat.Cache.
func (c signalCache[K, V]) Load(ctx context.Context, _ K, load func(context.Context) (V, error)) (v V, hit bool, err error) {
	v, err = load(ctx)
	return v, false, err
}

// Drop implements chat.Cache.
func (c signalCache[K, V]) Drop(ctx context.Context, keys ...K) error {
	var errs []error
	for some := range slices.Chunk(keys, signalPage) {
		body, err := json.Marshal(some)
		if err == nil {
			err = c.store.AddSignal(ctx, c.name, body, time.Now())
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
