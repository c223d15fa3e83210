package bustest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/onemeter/onemeter/internal/needs"
)

func online(t *testing.T, n Node, ids ...int64) []int64 {
	t.Helper()
	found, err := n.Online(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(found))
}

func testFirstAndLast(t *testing.T, nodes []Node) {
	a, b := nodes[0], nodes[len(nodes)-1]
	for _, step := range []struct {
		do   func(context.Context, int64) (bool, error)
		name string
		want bool
	}{
		{a.Disconnected, "none was there", false},
		{a.Connected, "first", true},
		{a.Connected, "second", false},
		{b.Connected, "third, on another node if there is one", false},
		{a.Disconnected, "two left", false},
		{a.Disconnected, "one left, on the other node", false},
		{b.Disconnected, "last", true},
		{b.Disconnected, "none left", false},
		{b.Connected, "first again", true},
	} {
		if got, err := step.do(t.Context(), 7); got != step.want || err != nil {
			t.Errorf("%s: %v, error %v", step.name, got, err)
		}
	}
	for _, n := range nodes {
		if got := online(t, n, 6, 7, 7, 8); !slices.Equal(got, []int64{7}) {
			t.Errorf("online are %v, want 7", got)
		}
	}
}

// With concurrent calls on all nodes, exactly one connection is the first and one the last.
func testOneIsFirstAndOneIsLast(t *testing.T, nodes []Node) {
	const users, each = 20, 4
	all := func(do func(Node, int64) (bool, error)) (yes int64) {
		var n atomic.Int64
		var wg sync.WaitGroup
		for i := range each {
			wg.Go(func() {
				for id := range int64(users) {
					is, err := do(nodes[i%len(nodes)], id)
					if err != nil {
						t.Error(err)
					}
					if is {
						n.Add(1)
					}
				}
			})
		}
		wg.Wait()
		return n.Load()
	}
	firsts := all(func(n Node, id int64) (bool, error) { return n.Connected(t.Context(), id) })
	lasts := all(func(n Node, id int64) (bool, error) { return n.Disconnected(t.Context(), id) })
	if firsts != users || lasts != users {
		t.Errorf("%d firsts and %d lasts of %d users", firsts, lasts, users)
	}
}

// Users come and go on all nodes concurrently: each arrival has a departure, and in the end nobody is online.
func testComingAndGoingAtOnce(t *testing.T, nodes []Node) {
	const users = 10
	var firsts, lasts atomic.Int64
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			n := nodes[i%len(nodes)]
			for id := range int64(users) {
				first, err1 := n.Connected(t.Context(), id)
				last, err2 := n.Disconnected(t.Context(), id)
				if err1 != nil || err2 != nil {
					t.Error(err1, err2)
				}
				if first {
					firsts.Add(1)
				}
				if last {
					lasts.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if firsts.Load() != lasts.Load() || firsts.Load() < users {
		t.Errorf("%d firsts and %d lasts of %d users", firsts.Load(), lasts.Load(), users)
	}
	for _, n := range nodes {
		if got := online(t, n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9); len(got) > 0 {
			t.Errorf("%v are online, and all have gone", got)
		}
	}
}

// A node knows at once who came and left; the others know it soon.
func testOnline(t *testing.T, nodes []Node) {
	a, b := nodes[0], nodes[len(nodes)-1]
	if got := online(t, a); len(got) > 0 {
		t.Errorf("of nobody, %v are online", got)
	}
	for range 3 {
		if _, err := a.Connected(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		if got := online(t, a, 4, 5); !slices.Equal(got, []int64{5}) {
			t.Errorf("online are %v, want 5, who came to this node", got)
		}
		needs.Eventually(t, "the other node sees who came", func() bool { return len(online(t, b, 5)) == 1 })
		if _, err := a.Disconnected(t.Context(), 5); err != nil {
			t.Fatal(err)
		}
		if got := online(t, a, 5); len(got) > 0 {
			t.Error("online after the last connection went from this node")
		}
	}
	needs.Eventually(t, "the other node sees who went", func() bool { return len(online(t, b, 5)) == 0 })
}

// Everyone has more users than are read at a time, some on several nodes.
func testEveryone(t *testing.T, nodes []Node) {
	everyone := func(n Node) []int64 {
		t.Helper()
		ids, err := n.Everyone(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		return ids
	}
	if got := everyone(nodes[0]); len(got) != 0 {
		t.Errorf("before anybody came: %v", got)
	}
	var want []int64
	for id := range int64(2500) {
		want = append(want, id+1)
		if _, err := nodes[int(id)%len(nodes)].Connected(t.Context(), id+1); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if _, err := n.Connected(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		if got := everyone(n); !slices.Equal(got, want) {
			t.Errorf("%d users, want %d", len(got), len(want))
		}
	}
	if _, err := nodes[1%len(nodes)].Disconnected(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if got := everyone(nodes[0]); slices.Contains(got, 2) || len(got) != len(want)-1 {
		t.Errorf("%d users after one has left, want %d", len(got), len(want)-1)
	}
}
