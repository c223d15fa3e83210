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
	maxReason     = 100 // bytes of the reason why sessions ended, which goes into a close frame
	sessionsLimit = 100
	sessionsChunk = 500 // sessions loaded by one statement
)

// forgetSessions makes every node forget sessions that were deleted from the store:
// their tokens become invalid, and their sockets are closed with reason. An empty reason
// means "session ended"; a long one is cut to 100 bytes.
func (s *Service) forgetSessions(ctx context.Context, userID int64, ids []string, by EndedBy, reason string) error {
	// The sessions are gone from the store, so this must be done even if ctx has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	err := s.cfg.Sessions.Drop(ctx, ids...)
	for _, id := range ids {
		s.tellEnded(ctx, userID, id, reason)
	}
	s.cfg.Hooks.sessionsEnded(ctx, len(ids), by)
	return err
}

// sessionsOf returns the ids of an account's sessions. It is called before a change that
// ends them.
func (s *Service) sessionsOf(ctx context.Context, userID int64) ([]string, error) {
	const most = 10_000 // far more than any user has
	list, err := s.cfg.Store.Sessions(ctx, userID, most, 0)
	ids := make([]string, len(list))
	for i, x := range list {
		ids[i] = x.ID
	}
	return ids, err
}

// sessionsEnded is called after a change of an account that returned err. before are the
// sessions of the account before the change, and ids those that the change has ended. If
// it is unknown whether the change was stored, all sessions in before are removed from
// the cache, and nodes check those of their sockets (see EndedSessions).
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

// EndedSessions returns those of ids whose sessions have ended. It asks the store and no
// cache, and removes the ended sessions from the cache. Connections use it, in case the
// event of the end was lost. The returned sessions have ended even if the error is not
// nil.
func (s *Service) EndedSessions(ctx context.Context, ids []string) ([]string, error) {
	live, err := s.cfg.Store.LiveSessions(ctx, ids)
	if err != nil {
		return nil, err
	}
	isLive := make(map[string]bool, len(live))
	for _, id := range live {
		isLive[id] = true
	}
	ended := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return isLive[id] })
	if len(ended) == 0 {
		return nil, nil
	}
	return ended, s.cfg.Sessions.Drop(ctx, ended...)
}

// endSession ends one session. why is shown to the user.
func (s *Service) endSession(ctx context.Context, userID int64, id string, by EndedBy, why string) error {
	err := s.cfg.Store.DeleteSession(ctx, id)
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return s.sessionsEnded(ctx, userID, []string{id}, []string{id}, err, by, why)
}

// tellEnded makes every node close the sockets of a session. If id is empty, nodes check
// all sessions of the user.
func (s *Service) tellEnded(ctx context.Context, userID int64, id, why string) {
	s.publish(ctx, Event{
		Type: EventSessionEnded, To: []int64{userID}, Session: id, At: s.cfg.Now(), Reason: plainText(why, maxReason),
	})
}

// A SessionInfo is the part of a session that its user may see.
type SessionInfo struct {
	ID        string    `json:"id,omitempty"` // a handle for EndMySession; not a secret
	Device    string    `json:"device"`       // name of the device that logged in
	IP        string    `json:"ip"`           // address of the login
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used"` // as exact as the lifetime of an access token
	Current   bool      `json:"current"`   // it is the caller's
}

// sessionHandle identifies a session without revealing its id, which is a part of its
// refresh token.
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
			continue // expired, but not deleted yet
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

// EndMySession ends the caller's session with this handle (SessionInfo.ID). It may be the
// current one. The error is NotFound if there is none.
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

// EndMyOtherSessions ends all sessions of the caller except the current one, and returns
// their number.
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

// plainText makes one line of a text: at most limit bytes, without invisible characters.
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

// addrText returns "" for an unknown address.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
