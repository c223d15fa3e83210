package chat

// Paging selects a page of a list, by an Offset or by a Page, counted from 1. If both are
// set, Page counts. A Limit of 0 means the default of the list.
type Paging struct{ Limit, Offset, Page int }

// A Part is a page of a list.
type Part[T any] struct {
	Items   []T
	Paging       // the limit and offset that were used
	HasMore bool // the list has items after these
}

// within sets the default limit, and cuts a larger limit to most. It turns Page into Offset.
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

// partOf returns a part of items. The caller must have loaded p.Limit+1 of them, so that
// HasMore is known.
func partOf[T any](items []T, p Paging) Part[T] {
	more := len(items) > p.Limit
	return Part[T]{Items: items[:min(len(items), p.Limit)], Paging: p, HasMore: more}
}
