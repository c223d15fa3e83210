package chat

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxDevice = 96  // bytes of what a client calls itself
	maxReason = 100 // bytes of why sessions ended: it goes into a close frame
)

// EndSessions ends the sessions of a user on every node but one of them ("": all):
// tokens are dead and sockets closed with reason, which is what their user is
// told ("session ended" where it is empty), and is cut to 100 bytes. A login that is
// under way comes to nothing. It returns how many ended. It does not keep the user
// from logging in again.
func (s *Service) EndSessions(ctx context.Context, userID int64, except, reason string) (int, error) {
	ids, err := s.cfg.Store.EndSessions(ctx, userID, except)
	if err != nil {
		return 0, orNotFound(err, "sessions not ended", "there is no such user")
	}
	// What is gone from the store is forgotten everywhere, whoever still waits for it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.cfg.Sessions.Drop(ctx, ids...); err != nil {
		return 0, err
	}
	for _, id := range ids {
		s.tellEnded(ctx, userID, id, reason)
	}
	return len(ids), nil
}

// endSession ends one session; why is for who uses it.
func (s *Service) endSession(ctx context.Context, userID int64, id, why string) error {
	if err := s.cfg.Store.DeleteSession(ctx, id); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := s.cfg.Sessions.Drop(ctx, id); err != nil {
		return err
	}
	s.tellEnded(ctx, userID, id, why)
	return nil
}

// tellEnded has every node close the sockets of a session.
func (s *Service) tellEnded(ctx context.Context, userID int64, id, why string) {
	s.publish(ctx, Event{
		Type: EventSessionEnded, To: []int64{userID}, Session: id, At: s.cfg.Now(), Reason: plainText(why, maxReason),
	})
}

// deviceText makes a User-Agent short enough to show.
func deviceText(userAgent string) string { return plainText(userAgent, maxDevice) }

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
