package table

import (
	"sync"
	"testing"
	"unsafe"

	"go.opentelemetry.io/otel/attribute"
)

func set(i int) attribute.Set { return attribute.NewSet(attribute.Int("i", i)) }

func ptr(i int) *attribute.Set { s := set(i); return &s }

func fill[V any](v V) func(*Entry[V], int) bool {
	return func(e *Entry[V], _ int) bool { e.Value = v; return true }
}

// Goroutines that add, find and remove agree on the entries.
func TestConcurrentUse(t *testing.T) {
	const sets = 500
	var tab Table[int]
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range sets {
				e := tab.Add(set(i), fill(i))
				if got := tab.Get(ptr(i)); got != e || e.Value != i {
					t.Errorf("%d is not there", i)
				}
			}
		})
	}
	wg.Wait()
	seen := map[int]int{}
	tab.All(func(e *Entry[int]) { seen[e.Value]++ })
	if len(seen) != sets || tab.Len() != sets {
		t.Errorf("%d are visited, Len is %d", len(seen), tab.Len())
	}
	for i := range sets {
		e := tab.Get(ptr(i))
		if !tab.Remove(e) || tab.Remove(e) || tab.Get(ptr(i)) != nil {
			t.Errorf("%d is not removed once", i)
		}
	}
}

// A table with entries that come and go finds the current ones, and does not grow.
func TestRemovedEntriesLeaveRoom(t *testing.T) {
	var tab Table[int]
	for i := range 10_000 {
		tab.Add(set(i), fill(i))
		if i >= 10 {
			tab.Remove(tab.Get(ptr(i - 10)))
		}
		for j := max(0, i-9); j <= i; j++ {
			if e := tab.Get(ptr(j)); e == nil || e.Value != j {
				t.Fatalf("%d is not there", j)
			}
		}
	}
	if n := len(*tab.places.Load()); n > 64 {
		t.Errorf("10 entries have %d places", n)
	}
	tab.Remove(tab.Get(ptr(9_999)))
	if tab.Get(&attribute.Set{}) != nil {
		t.Error("the empty set is taken for a removed entry")
	}
}

// Sets with equal hashes are two entries.
func TestCollisions(t *testing.T) {
	var tab Table[string]
	a, b := set(1), set(2)
	hash := func(s *attribute.Set) *uint64 { return (*uint64)(unsafe.Pointer(s)) } // its first word
	*hash(&a) = *hash(&b)
	if a.Equivalent() != b.Equivalent() {
		t.Fatal("the hashes do not collide: the first word of a set is no hash")
	}
	tab.Add(a, fill("a"))
	if got := tab.Get(&b); got != nil {
		t.Fatalf("b is taken for %s", got.Value)
	}
	tab.Add(b, fill("b"))
	for s, want := range map[*attribute.Set]string{&a: "a", &b: "b"} {
		if got := tab.Get(s); got == nil || got.Value != want {
			t.Errorf("%s is not there", want)
		}
	}
}
