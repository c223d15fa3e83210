package guard

import (
	"reflect"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// News is something to tell the people who run the program.
type News struct {
	First, Second *Registration // First is nil where Second alone is at fault, or nobody knows
	Names         []string      // the families over which the two met; may be empty
	Before, After Definition    // of the first of them
	Bounds        [2][]float64  // of histograms whose boundaries differ
	Refused       bool          // Register returned an AlreadyRegisteredError for Second
	Err           error         // what is wrong with Second
	Kept          bool          // in spite of Err
}

// A newsKey is what makes news the same: code that registers again and again is told of once.
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

// maxNews bounds what is kept.
const maxNews = 1000

// News returns what there is to tell, but for the first ones: who listens says how many were heard.
func (r *Registry) News(heard int) []News {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.news[min(heard, len(r.news)):])
}

// conflict tells that two registrations define the same family. first is nil where the registry did not say which is
// in the way: then it is found by the names. Where nobody has them, one that was unregistered had, which client_golang
// remembers for ever; that is no conflict.
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

// earlier returns who defined one of e's families first.
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

// compare says in what the two differ.
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
