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

// Signals are rows in the database with which imserver admin reaches the nodes: it shares nothing else with them.
const (
	signalEvery   = time.Second
	signalPage    = 500
	signalOverlap = 100 // ids that are read again, because transactions may commit in another order
	signalKept    = time.Hour
	signalEvent   = "event" // kind of a signal with an event; other kinds are names of caches
)

// A wireEvent is the JSON of an event in a signal. Its payload stays JSON.
type wireEvent struct {
	chat.Event
	Payload json.RawMessage `json:"payload,omitempty"`
}

// A follower reads signals and applies them.
type follower struct {
	store *sqlstore.Store
	apply func(context.Context, sqlstore.Signal) error
	last  int64
	seen  map[int64]bool // of the last signalOverlap ids
	swept time.Time      // when old signals were last deleted
}

// followSignals applies all signals from now on. It must be called before anything is cached.
func (s *Server) followSignals(ctx context.Context) error {
	f := &follower{store: s.store, seen: make(map[int64]bool)}
	f.apply = func(context.Context, sqlstore.Signal) error { return nil } // skips the existing signals
	if err := f.look(ctx); err != nil {
		return err
	}
	f.apply = s.applySignal
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
				s.log.Warn("signals of imserver admin not read; trying again", "every", signalEvery, "err", err)
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

// look applies the signals that it has not seen yet. After an error, the next look tries the signal again.
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

// applySignal drops the keys of a cache that a signal names, or delivers its event to the connections of this node.
func (s *Server) applySignal(ctx context.Context, x sqlstore.Signal) error {
	if drop, ok := s.drops[x.Kind]; ok {
		return drop(ctx, x.Body)
	}
	if x.Kind != signalEvent {
		s.log.Warn("ignored a signal of an unknown kind: imserver admin has another version than this node", "kind", x.Kind)
		return nil
	}
	var e wireEvent
	if err := json.Unmarshal(x.Body, &e); err != nil {
		s.log.Warn("ignored a signal that is not valid JSON", "id", x.ID, "err", err)
		return nil
	}
	e.Event.Payload = e.Payload
	s.chat.Receive(ctx, e.Event)
	return nil
}

// dropsOf lets signals drop keys of a cache.
func dropsOf[K comparable, V any](s *Server, name string, cache chat.Cache[K, V]) {
	s.drops[name] = func(ctx context.Context, body []byte) error {
		var keys []K
		if err := json.Unmarshal(body, &keys); err != nil {
			s.log.Warn("ignored a signal that is not valid JSON", "kind", name, "err", err)
			return nil
		}
		return cache.Drop(ctx, keys...)
	}
}

// A signaller is the bus of a process that is not a node: it publishes by signals.
type signaller struct{ store *sqlstore.Store }

// Publish implements chat.Bus. The nodes read the signal and deliver the event.
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

// A signalCache caches nothing. Its Drop makes the nodes drop keys, by signals.
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
