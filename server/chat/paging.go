package chat

// Paging says which part of a list is asked for: by an Offset, or by a Page,
// counted from 1, which goes before it. A Limit of 0 is the list's own.
type Paging struct{ Limit, Offset, Page int }

// A Part is part of a list.
type Part[T any] struct {
	Items   []T
	Paging       // as it was answered
	HasMore bool // there is something behind Items
}

// within puts the list's own limit in, and bounds what a client asks for.
func (p Paging) within(otherwise, most int, what string) (Paging, error) {
	if p.Limit < 0 || p.Offset < 0 || p.Page < 0 {
		return Paging{}, Errorf(KindInvalid, what, "limit, offset and page must not be negative")
	}
	if p.Limit == 0 {
		p.Limit = otherwise
	}
	if p.Limit = min(p.Limit, most); p.Page > 0 {
		p.Offset = (p.Page - 1) * p.Limit
	}
	return p, nil
}

// partOf makes a part of items, of which one more than p.Limit was asked for.
func partOf[T any](items []T, p Paging) Part[T] {
	more := len(items) > p.Limit
	return Part[T]{Items: items[:min(len(items), p.Limit)], Paging: p, HasMore: more}
}
