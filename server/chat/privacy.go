package chat

import (
	"cmp"
	"context"
)

// An Audience is a group of users from whom a user accepts something without a request.
type Audience string

// The audiences. A contact is a user that the user has added as a friend.
const (
	Everybody Audience = "everybody"
	Contacts  Audience = "contacts"
)

// A Privacy says from whom a user accepts messages, groups and calls. Others send a
// [Request]. In the store, fields that the user has not chosen are empty.
type Privacy struct {
	Messages Audience `json:"messages"`
	Groups   Audience `json:"groups"`
	Calls    Audience `json:"calls"`
}

// A PrivacyChange changes the fields that are not nil.
type PrivacyChange struct {
	Messages *Audience `json:"messages"`
	Groups   *Audience `json:"groups"`
	Calls    *Audience `json:"calls"`
}

// With returns p with the changes of c.
func (p Privacy) With(c PrivacyChange) Privacy {
	for _, f := range []struct{ to, from *Audience }{{&p.Messages, c.Messages}, {&p.Groups, c.Groups}, {&p.Calls, c.Calls}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return p
}

// privacy returns the settings of users, with the server's default for those that they have
// not chosen.
func (s *Service) privacy(ctx context.Context, userIDs ...int64) (map[int64]Privacy, error) {
	chosen, err := s.cfg.Store.Privacy(ctx, userIDs)
	if err != nil {
		return nil, err
	}
	otherwise := Everybody
	if s.cfg.ContactsOnly {
		otherwise = Contacts
	}
	all := make(map[int64]Privacy, len(userIDs))
	for _, id := range userIDs {
		p := chosen[id]
		all[id] = Privacy{cmp.Or(p.Messages, otherwise), cmp.Or(p.Groups, otherwise), cmp.Or(p.Calls, otherwise)}
	}
	return all, nil
}

// Privacy returns from whom the caller accepts messages, groups and calls.
func (s *Service) Privacy(ctx context.Context, c Caller) (Privacy, error) {
	all, err := s.privacy(ctx, c.UserID)
	return all[c.UserID], err
}

// SetPrivacy changes from whom the caller accepts messages, groups and calls. Existing
// conversations and groups go on, and pending requests stay pending.
func (s *Service) SetPrivacy(ctx context.Context, c Caller, p PrivacyChange) (Privacy, error) {
	const what = "privacy not changed"
	if err := s.pace(ctx, c, what); err != nil {
		return Privacy{}, err
	}
	for _, f := range []struct {
		name string
		to   *Audience
	}{{"messages", p.Messages}, {"groups", p.Groups}, {"calls", p.Calls}} {
		if f.to != nil && *f.to != Everybody && *f.to != Contacts {
			return Privacy{}, Errorf(KindInvalid, what, "%s is %.32q: want everybody or contacts", f.name, string(*f.to))
		}
	}
	if err := s.cfg.Store.SetPrivacy(ctx, c.UserID, p); err != nil {
		return Privacy{}, orNotFound(err, what, "the account was deleted")
	}
	return s.Privacy(ctx, c)
}
