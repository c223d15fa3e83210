package chat

import (
	"context"
	"crypto/hmac"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	maxReason     = 100 // bytes of why sessions ended: it goes into a close frame
	sessionsLimit = 100
	sessionsChunk = 500 // looked at with one statement
)

// forgetSessions has every node forget sessions that are gone from the store: tokens
// are dead and sockets closed with reason, which is what their user is told ("session
// ended" where it is empty), and is cut to 100 bytes.
func (s *Service) forgetSessions(ctx context.Context, userID int64, ids []string, by EndedBy, reason string) error {
	// What is gone from the store is forgotten everywhere, whoever still waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	err := s.cfg.Sessions.Drop(ctx, ids...)
	for _, id := range ids {
		s.tellEnded(ctx, userID, id, reason)
	}
	s.cfg.Hooks.sessionsEnded(ctx, len(ids), by)
	return err
}

// sessionsOf returns the ids of an account's sessions, before a change that ends them.
func (s *Service) sessionsOf(ctx context.Context, userID int64) ([]string, error) {
	const most = 10_000 // far more than anybody has
	list, err := s.cfg.Store.Sessions(ctx, userID, most, 0)
	ids := make([]string, len(list))
	for i, x := range list {
		ids[i] = x.ID
	}
	return ids, err
}

// sessionsEnded goes on with sessions that a change of an account has ended: ids, of
// those that it had before. Where err leaves open whether it has, nobody trusts what
// is cached of them, and nodes ask for those of their sockets (see EndedSessions).
func (s *Service) sessionsEnded(ctx context.Context, userID int64, before, ids []string, err error, by EndedBy, why string) error {
	switch KindOf(err) {
	case "":
		return s.forgetSessions(ctx, userID, ids, by, why)
	case KindUnavailable, KindCancelled:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
		defer cancel()
		err = errors.Join(err, s.cfg.Sessions.Drop(ctx, before...))
		s.tellEnded(ctx, userID, "", why)
	}
	return err
}

// EndedSessions returns those of ids whose sessions have ended by the store's account,
// whatever is cached, and has every node forget these. It is for connections, which
// outlive what was lost on the way to them: with an error, too, what it returns is so.
func (s *Service) EndedSessions(ctx context.Context, ids []string) ([]string, error) {
	live, err := s.cfg.Store.LiveSessions(ctx, ids)
	if err != nil {
		return nil, err
	}
	goOn := make(map[string]bool, len(live))
	for _, id := range live {
		goOn[id] = true
	}
	ended := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return goOn[id] })
	if len(ended) == 0 {
		return nil, nil
	}
	return ended, s.cfg.Sessions.Drop(ctx, ended...)
}

// endSession ends one session; why is for who uses it.
func (s *Service) endSession(ctx context.Context, userID int64, id string, by EndedBy, why string) error {
	err := s.cfg.Store.DeleteSession(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return s.sessionsEnded(ctx, userID, []string{id}, []string{id}, err, by, why)
}

// tellEnded has every node close the sockets of a session.
func (s *Service) tellEnded(ctx context.Context, userID int64, id, why string) {
	s.publish(ctx, Event{
		Type: EventSessionEnded, To: []int64{userID}, Session: id, At: s.cfg.Now(), Reason: plainText(why, maxReason),
	})
}

// A SessionInfo is a session as its user is shown it.
type SessionInfo struct {
	ID        string    `json:"id,omitempty"` // names it, and opens nothing
	Device    string    `json:"device"`       // what logged in
	IP        string    `json:"ip"`           // from where
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used"` // to the life of an access token
	Current   bool      `json:"current"`   // the one that asks
}

// sessionHandle names a session without its id, which is half of its refresh token.
func (s *Service) sessionHandle(id string) string { return s.cfg.Signer.Seal("session " + id)[:22] }

// MySessions lists the caller's sessions, the newest first.
func (s *Service) MySessions(ctx context.Context, c Caller, p Paging) (Part[SessionInfo], error) {
	p, err := p.within(sessionsLimit, sessionsLimit, "sessions not listed")
	if err != nil {
		return Part[SessionInfo]{}, err
	}
	now := s.cfg.Now()
	found, err := s.cfg.Store.Sessions(ctx, c.UserID, p.Limit+1, p.Offset)
	if err != nil {
		return Part[SessionInfo]{}, err
	}
	page := partOf(found, p)
	infos := Part[SessionInfo]{Paging: page.Paging, HasMore: page.HasMore}
	for _, x := range page.Items {
		if !now.Before(x.ExpiresAt) {
			continue // over, and not deleted yet
		}
		i := SessionInfo{
			ID: s.sessionHandle(x.ID), Device: x.Device, IP: x.Addr, CreatedAt: x.CreatedAt,
			LastUsed: later(x.CreatedAt, x.RotatedAt), Current: x.ID == c.SessionID,
		}
		if i.Current {
			i.LastUsed = now
		}
		infos.Items = append(infos.Items, i)
	}
	return infos, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// EndMySession ends the session of the caller's that has a handle, the current one
// too.
func (s *Service) EndMySession(ctx context.Context, c Caller, handle string) error {
	const what = "session not ended"
	if err := s.pace(ctx, c, what); err != nil {
		return err
	}
	for offset := 0; ; offset += sessionsChunk {
		found, err := s.cfg.Store.Sessions(ctx, c.UserID, sessionsChunk, offset)
		if err != nil {
			return err
		}
		for _, x := range found {
			if hmac.Equal([]byte(s.sessionHandle(x.ID)), []byte(handle)) {
				return s.endSession(ctx, c.UserID, x.ID, EndedByUser, "logged out from another device")
			}
		}
		if len(found) < sessionsChunk {
			return Errorf(KindNotFound, what, "you have no such session: it may have ended already")
		}
	}
}

// EndMyOtherSessions ends all sessions of the caller's but the one that asks, and
// returns how many.
func (s *Service) EndMyOtherSessions(ctx context.Context, c Caller) (int, error) {
	if err := s.pace(ctx, c, "sessions not ended"); err != nil {
		return 0, err
	}
	before, err := s.sessionsOf(ctx, c.UserID)
	if err != nil {
		return 0, err
	}
	ids, err := s.cfg.Store.EndSessions(ctx, c.UserID, c.SessionID)
	err = s.sessionsEnded(ctx, c.UserID, before, ids, err, EndedByUser, "logged out from another device")
	return len(ids), orNotFound(err, "sessions not ended", "the account was deleted")
}

// plainText keeps what can be shown of a text, in one line of at most limit bytes.
func plainText(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case misleads(r), r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	for len(s) > limit {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

// addrText is "" for an address that is not known.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
