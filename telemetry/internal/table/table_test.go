package table

import (
	"fmt"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

func set(i int) attribute.Set { return attribute.NewSet(attribute.Int("i", i)) }

// Goroutines that add, find and remove agree on what is there.
func TestConcurrentUse(t *testing.T) {
	const sets = 500
	var tab Table[*int]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range sets {
				e := tab.Add(set(i), func(int) (*int, bool) { return new(int), true })
				if got := tab.Get(set(i)); got == nil || got.Value != e.Value {
					t.Errorf("%d is not there", i)
				}
			}
		})
	}
	wg.Wait()
	seen := map[string]int{}
	tab.All(func(e *Entry[*int]) { seen[fmt.Sprint(e.Set.ToSlice())]++ })
	if len(seen) != sets || tab.Len() != sets {
		t.Errorf("%d are visited, Len is %d", len(seen), tab.Len())
	}
	for i := range sets {
		if !tab.Remove(set(i)) || tab.Remove(set(i)) || tab.Get(set(i)) != nil {
			t.Errorf("%d is not removed once", i)
		}
	}
}

// Sets whose hashes collide are two entries.
func TestCollisions(t *testing.T) {
	var tab Table[string]
	a, b := set(1), set(2)
	tab.Add(a, func(int) (string, bool) { return "a", true })
	places := *tab.entries.Load()
	e := tab.Get(a)
	e.hash = b.Equivalent() // as if a had the hash of b
	places[place(e.hash, len(places))].Store(e)
	if got := tab.Get(b); got != nil {
		t.Fatalf("b is taken for %s", got.Value)
	}
	tab.Add(b, func(int) (string, bool) { return "b", true })
	if got := tab.Get(b); got == nil || got.Value != "b" {
		t.Errorf("b is not there")
	}
}
