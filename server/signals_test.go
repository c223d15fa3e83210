package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server/sqlstore"
)

// TestSignalsAreObeyedOnce: those from before the start not at all, one that
// fails once more, and none twice, also where ids are looked at again.
func TestSignalsAreObeyedOnce(t *testing.T) {
	store, err := sqlstore.Open(t.Context(), sqlstore.Config{Path: filepath.Join(t.TempDir(), "im.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	leave := func(n int) {
		t.Helper()
		if err := store.AddSignal(t.Context(), fmt.Sprint(n), []byte("[]"), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	const many = signalPage + 2*signalOverlap
	for n := range many {
		leave(n)
	}
	var applied []string
	fails := map[string]bool{fmt.Sprint(many + 1): true}
	f := &follower{store: store, seen: make(map[int64]bool), apply: func(context.Context, sqlstore.Signal) error { return nil }}
	if err := f.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.apply = func(_ context.Context, x sqlstore.Signal) error {
		if fails[x.Kind] {
			fails[x.Kind] = false
			return errors.New("not now")
		}
		applied = append(applied, x.Kind)
		return nil
	}
	var want []string
	for n := range many {
		leave(many + n)
		want = append(want, fmt.Sprint(many+n))
	}
	if err := f.look(t.Context()); err == nil {
		t.Error("a signal that failed is forgotten")
	}
	for range 3 {
		if err := f.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(applied, want) {
		t.Errorf("%d signals were applied, want %d: %.300v", len(applied), len(want), applied)
	}
	if len(f.seen) > signalOverlap+1 {
		t.Errorf("%d ids are remembered", len(f.seen))
	}
}

// TestGarbageIsNoSignal: it is logged, and does not stop those after it.
func TestGarbageIsNoSignal(t *testing.T) {
	s := &Server{log: slog.New(slog.DiscardHandler), drops: make(map[string]func(context.Context, []byte) error)}
	for _, x := range []sqlstore.Signal{{Kind: "unknown"}, {Kind: signalEvent, Body: []byte("{")}, {Kind: signalEvent, Body: []byte(`[]`)}} {
		if err := s.applySignal(t.Context(), x); err != nil {
			t.Errorf("%s: %v", x.Kind, err)
		}
	}
}
