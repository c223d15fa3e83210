// Package cachetest is the contract of chat.Cache as a test suite. [Run] it with
// a function that opens the nodes of one cache.
package cachetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
	"github.com/onemeter/onemeter/server/chat"
)

// A Node is one node's end of a cache.
type Node = chat.Cache[int, int64]

// Run tests the caches that open returns: one node or more of a cache that is
// empty, with room for 100 values that do not expire during the test. The
// nodes get each other's drops, and are closed by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) []Node) {
	for _, c := range []struct {
		name string
		test func(*testing.T, []Node)
	}{
		{"OneLoadForAllNodes", testOneLoadForAllNodes},
		{"ConcurrentLoadsShareOne", testConcurrentLoadsShareOne},
		{"Drop", testDrop},
		{"ErrorsAreNotKept", testErrorsAreNotKept},
		{"CallerWhoGaveUp", testCallerWhoGaveUp},
		{"DropDuringLoad", testDropDuringLoad},
		{"LoadDuringLoadAfterDrop", testLoadDuringLoadAfterDrop},
		{"NeverStale", testNeverStale},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// source returns a load function that returns v.
func source(v int64) func(context.Context) (int64, error) {
	return func(context.Context) (int64, error) { return v, nil }
}

func get(t *testing.T, n Node, key int, load func(context.Context) (int64, error)) (v int64, hit bool) {
	t.Helper()
	v, hit, err := n.Load(t.Context(), key, load)
	if err != nil {
		t.Fatal(err)
	}
	return v, hit
}

// want loads a key whose actual value is truth, and checks the result.
func want(t *testing.T, n Node, key int, truth, value int64, hit bool) {
	t.Helper()
	if v, h := get(t, n, key, source(truth)); v != value || h != hit {
		t.Fatalf("key %d: got %d, hit %v; want %d, hit %v", key, v, h, value, hit)
	}
}

// soon waits until a node returns value for a key. The node that dropped the key
// does so at once, the others once they have received the message.
func soon(t *testing.T, n Node, key int, value int64) {
	t.Helper()
	needs.Eventually(t, "the node has the new value", func() bool {
		v, _ := get(t, n, key, source(value))
		return v == value
	})
}

func drop(t *testing.T, n Node, keys ...int) {
	t.Helper()
	if err := n.Drop(t.Context(), keys...); err != nil {
		t.Fatal(err)
	}
}

func testOneLoadForAllNodes(t *testing.T, nodes []Node) {
	want(t, nodes[0], 1, 10, 10, false)
	for range 2 {
		for _, n := range nodes {
			want(t, n, 1, 11, 10, true)
		}
	}
	want(t, nodes[0], 2, 20, 20, false)
}

func testConcurrentLoadsShareOne(t *testing.T, nodes []Node) {
	const callers = 20
	n, release := nodes[0], make(chan struct{})
	var began, loads, hits atomic.Int64
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			began.Add(1)
			v, hit, err := n.Load(t.Context(), 1, func(context.Context) (int64, error) {
				loads.Add(1)
				<-release
				return 7, nil
			})
			if v != 7 || err != nil {
				t.Errorf("got %d, error %v", v, err)
			}
			if hit {
				hits.Add(1)
			}
		})
	}
	needs.Eventually(t, "a load begins, and all have come", func() bool { return loads.Load() > 0 && began.Load() == callers })
	close(release)
	wg.Wait()
	if loads.Load() != 1 || hits.Load() != callers-1 {
		t.Errorf("%d loads and %d hits of %d callers", loads.Load(), hits.Load(), callers)
	}
}

func testDrop(t *testing.T, nodes []Node) {
	const dropped, kept = 50, 60
	var keys []int
	for key := range kept {
		want(t, nodes[0], key, 1, 1, false)
		for _, n := range nodes {
			want(t, n, key, 2, 1, true)
		}
		if key < dropped {
			keys = append(keys, key)
		}
	}
	drop(t, nodes[0], append(keys, 99)...) // 99 was never cached
	drop(t, nodes[0])
	want(t, nodes[0], 0, 2, 2, false)
	for _, n := range nodes {
		for _, key := range keys {
			soon(t, n, key, 2)
		}
		for key := dropped; key < kept; key++ {
			want(t, n, key, 2, 1, true)
		}
	}
}

func testErrorsAreNotKept(t *testing.T, nodes []Node) {
	fault := errors.New("fault")
	_, hit, err := nodes[0].Load(t.Context(), 1, func(context.Context) (int64, error) { return 9, fault })
	if hit || !errors.Is(err, fault) {
		t.Fatalf("hit %v, error %v, want %v", hit, err, fault)
	}
	want(t, nodes[len(nodes)-1], 1, 1, 1, false)
}

// A load gets the context of its caller. If that context ends, it is an error for
// this caller only.
func testCallerWhoGaveUp(t *testing.T, nodes []Node) {
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := nodes[0].Load(ctx, 1, func(ctx context.Context) (int64, error) {
		cancel()
		<-ctx.Done()
		return 0, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
	want(t, nodes[0], 1, 1, 1, false)
}

// Each node drops a key while a node, itself or another, loads it.
func testDropDuringLoad(t *testing.T, nodes []Node) {
	key := 0
	for _, before := range []bool{false, true} { // whether the key was also dropped before the load
		for _, loader := range nodes {
			for _, dropper := range nodes {
				key++
				if before {
					drop(t, loader, key)
				}
				v, hit := get(t, loader, key, func(context.Context) (int64, error) {
					drop(t, dropper, key)
					return 1, nil
				})
				if v != 1 || hit {
					t.Fatalf("got %d, hit %v", v, hit)
				}
				want(t, dropper, key, 2, 2, false)
				soon(t, loader, key, 2)
			}
		}
	}
}

// A caller that asks after a drop does not wait for a load that began before it,
// and the old value does not replace the new one.
func testLoadDuringLoadAfterDrop(t *testing.T, nodes []Node) {
	for key, loader := range nodes {
		for _, dropper := range nodes {
			drop(t, loader, key)
			get(t, loader, key, func(context.Context) (int64, error) {
				drop(t, dropper, key)
				want(t, dropper, key, 2, 2, false)
				return 1, nil
			})
			want(t, dropper, key, 3, 2, true)
			soon(t, loader, key, 2)
		}
	}
}

// All nodes increment a value, drop it and read it. A node that dropped it never
// reads less than the value before the drop, and in the end no node keeps an
// outdated value.
func testNeverStale(t *testing.T, nodes []Node) {
	var truth atomic.Int64
	load := func(context.Context) (int64, error) { return truth.Load(), nil }
	var wg sync.WaitGroup
	for _, n := range nodes {
		for range 3 {
			wg.Go(func() {
				for range 200 {
					least := truth.Add(1)
					err := n.Drop(context.Background(), 1)
					v, _, loadErr := n.Load(context.Background(), 1, load)
					if err != nil || loadErr != nil || v < least {
						t.Errorf("got %d after %d was dropped, errors %v, %v", v, least, err, loadErr)
						return
					}
				}
			})
			wg.Go(func() {
				for range 400 {
					if _, _, err := n.Load(context.Background(), 1, load); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
	for _, n := range nodes {
		soon(t, n, 1, truth.Load())
	}
}
