package chat

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// refreshGrace is how long a spent refresh token is answered as it was the first
// time: a client that asks twice at once, or whose answer was lost, stays logged in.
const refreshGrace = 10 * time.Second

// A refresh token is the session's id, the number of tokens before it, and a
// seal of both: the next one follows from it for this server alone, which tells
// a spent token from a made-up one. The store knows the hash of the good one.
func (s *Service) refreshToken(sessionID string, n int) string {
	text := fmt.Sprintf("%s.%d", sessionID, n)
	return text + "." + s.cfg.Signer.Seal("refresh "+text)
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// numberOf tells how many tokens were before this one, and whether this server
// made it. Those of earlier versions have no number.
func (s *Service) numberOf(sessionID, token string) (n int, ours bool) {
	number, _, _ := strings.Cut(strings.TrimPrefix(token, sessionID+"."), ".")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 {
		return 0, false
	}
	return n, hmac.Equal([]byte(token), []byte(s.refreshToken(sessionID, n)))
}

const (
	badRefresh      = "refresh token not accepted"
	maxRefreshToken = 128
)

var errBadRefresh = &Error{Kind: KindUnauthenticated, What: badRefresh, Why: "it is unknown, spent or expired: log in again"}

// Refresh changes a refresh token for new tokens. The old one is spent: for
// refreshGrace it is answered with the same new one, and later it ends the
// session, since somebody has it who should not.
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	id, _, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxRefreshToken {
		return Tokens{}, errBadRefresh
	}
	sess, err := s.refreshable(ctx, id)
	if err == nil {
		err = s.stillAdmitted(ctx, sess)
	}
	if err != nil {
		return Tokens{}, err
	}
	now := s.cfg.Now()
	n, ours := s.numberOf(id, token)
	if !ours { // of a version before: no number that this session has had
		n = int(now.Unix())
	}
	next := s.refreshToken(id, n+1)
	err = s.cfg.Store.RotateSession(ctx, id, hashOf(token), hashOf(next), now, now.Add(s.cfg.Limits.SessionTTL))
	if errors.Is(err, ErrNotFound) {
		return s.refreshSpent(ctx, id, token)
	}
	if err != nil {
		return Tokens{}, err
	}
	if err := s.cfg.Sessions.Drop(ctx, id); err != nil {
		return Tokens{}, err
	}
	return s.tokens(ctx, id, sess.UserID, next)
}

// refreshable returns a session that is not over.
func (s *Service) refreshable(ctx context.Context, id string) (Session, error) {
	sess, err := s.cfg.Store.Session(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !s.cfg.Now().Before(sess.ExpiresAt) {
		return Session{}, errBadRefresh
	}
	return sess, err
}

// stillAdmitted ends the session of who is banned: none was to be left.
func (s *Service) stillAdmitted(ctx context.Context, sess Session) error {
	err := s.admitted(ctx, sess.UserID, badRefresh)
	if e, ok := errors.AsType[*Error](err); ok && e.Ban != nil {
		err = errors.Join(err, s.endSession(ctx, sess.UserID, sess.ID, EndedByOperator, e.Why))
	}
	return err
}

// refreshSpent answers a token that is not the session's good one.
func (s *Service) refreshSpent(ctx context.Context, id, token string) (Tokens, error) {
	n, ours := s.numberOf(id, token)
	if !ours {
		return Tokens{}, errBadRefresh
	}
	sess, err := s.refreshable(ctx, id)
	if err != nil {
		return Tokens{}, err
	}
	next := s.refreshToken(id, n+1)
	switch grace := s.cfg.Now().Sub(sess.RotatedAt) < refreshGrace; {
	case grace && bytes.Equal(sess.RefreshHash, hashOf(next)):
		return s.tokens(ctx, id, sess.UserID, next)
	case grace: // an older one, of which nothing says since when it is spent
		return Tokens{}, errBadRefresh
	}
	s.cfg.Log.WarnContext(ctx, "a spent refresh token was used again: the session is ended", "user", sess.UserID, "session", id)
	if err := s.endSession(ctx, sess.UserID, id, EndedByReplay, "a refresh token was used twice"); err != nil {
		return Tokens{}, err
	}
	return Tokens{}, Errorf(KindUnauthenticated, badRefresh,
		"it was used before, and somebody else may have it: the session is ended on all its connections; log in again")
}
