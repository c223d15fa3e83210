package guard

import (
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// News is a message for the people who run the program.
type News struct {
	First, Second *Registration // the earlier and the later one; First is nil if only Second is at fault, or if it is unknown
	Names         []string      // the families that both define; may be empty
	Before, After Definition    // those of First and Second of the first family in Names
	Bounds        [2][]float64  // if not nil, the different boundaries of histograms
	Refused       bool          // Register returned an AlreadyRegisteredError for Second
	Err           error         // what is wrong with Second
	Kept          bool          // Second was registered in spite of Err
}

// A newsKey identifies news, so that code that registers repeatedly is reported once.
type newsKey struct {
	first, family, site string
	fault               bool
}

func (r *Registry) tell(n News) {
	k := newsKey{family: n.After.Name, site: strings.Join(n.Second.Site(), " "), fault: n.Err != nil}
	if n.First != nil {
		k.first = strings.Join(n.First.Site(), " ")
	}
	if _, ok := r.told[k]; ok || len(r.news) >= maxNews {
		return
	}
	r.told[k] = struct{}{}
	r.news = append(r.news, n)
}

// maxNews bounds the news that are kept.
const maxNews = 1000

// News returns the news without the first ones, which the caller has read already: heard is their number.
func (r *Registry) News(heard int) []News {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.news[min(heard, len(r.news)):])
}

// conflict reports that two registrations define the same family. If first is nil, because the registry did not return it,
// it is found by name. If no registration has the name, a collector that was unregistered had it; client_golang remembers
// its definition for ever. That is no conflict.
func (r *Registry) conflict(first, e *Registration, refused bool) {
	n := News{First: first, Second: e, Refused: refused}
	if first == nil {
		if n.First = r.earlier(e); n.First == nil {
			r.levels[0].indexOthers()
			n.First = r.earlier(e)
		}
	}
	if n.First == nil {
		return
	}
	n.compare()
	r.tell(n)
}

// earlier returns the first registration that defines one of e's families.
func (r *Registry) earlier(e *Registration) *Registration {
	for _, l := range r.levels {
		if l == e.level {
			break
		}
		for _, d := range e.define() {
			if first := l.owner(d.Name); first != nil {
				return first
			}
		}
	}
	return nil
}

// compare sets how the two differ.
func (n *News) compare() {
	for _, after := range n.Second.define() {
		for _, before := range n.First.define() {
			if before.Name != after.Name {
				continue
			}
			if len(n.Names) == 0 {
				n.Before, n.After = before, after
			}
			n.Names = append(n.Names, after.Name)
			break
		}
	}
	if !n.First.sameType(n.Second) {
		return
	}
	if a, b := n.First.bounds, n.Second.bounds; !slices.Equal(a, b) {
		n.Bounds = [2][]float64{a, b}
	}
}

func comparable(c prometheus.Collector) bool {
	return c != nil && reflect.ValueOf(c).Comparable()
}

func without(list []*Registration, e *Registration) []*Registration {
	return slices.DeleteFunc(slices.Clone(list), func(other *Registration) bool { return other == e })
}
