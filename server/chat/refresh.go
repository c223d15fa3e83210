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

// refreshGrace is how long a spent refresh token still returns the token that replaced
// it. A client that refreshes twice at once, or that lost the response, stays logged in.
const refreshGrace = 10 * time.Second

// refreshToken returns the n-th refresh token of a session, counted from 0: the session's
// id, n, and a seal of both. So the server can compute the next one, and can tell a spent
// token from a forged one. The store has only the hash of the current one.
func (s *Service) refreshToken(sessionID string, n int) string {
	text := fmt.Sprintf("%s.%d", sessionID, n)
	return text + "." + s.cfg.Signer.Seal("refresh "+text)
}

func hashOf(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// numberOf returns the number of a token, and whether this server made it. Tokens of
// earlier versions have no number.
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

// Refresh exchanges a refresh token for new tokens. For 10 s the spent token still returns
// the same refresh token. If it is used later, somebody may have stolen it, and the
// session ends. The error is Unauthenticated if the token is not valid.
func (s *Service) Refresh(ctx context.Context, token string) (Tokens, error) {
	id, _, ok := strings.Cut(token, ".")
	if !ok || len(token) > maxRefreshToken {
		return Tokens{}, errBadRefresh
	}
	sess, err := s.refreshable(ctx, id)
	if err == nil {
		err = s.endIfBanned(ctx, sess)
	}
	if err != nil {
		return Tokens{}, err
	}
	now := s.cfg.Now()
	n, ours := s.numberOf(id, token)
	if !ours { // made by an earlier version: continue with a number that this session never had
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

// refreshable returns a session that has not expired.
func (s *Service) refreshable(ctx context.Context, id string) (Session, error) {
	sess, err := s.cfg.Store.Session(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && !s.cfg.Now().Before(sess.ExpiresAt) {
		return Session{}, errBadRefresh
	}
	return sess, err
}

// endIfBanned returns an error if the user is banned, and then ends the session, which
// the ban should have ended.
func (s *Service) endIfBanned(ctx context.Context, sess Session) error {
	err := s.checkBan(ctx, sess.UserID, badRefresh)
	if e, ok := errors.AsType[*Error](err); ok && e.Ban != nil {
		err = errors.Join(err, s.endSession(ctx, sess.UserID, sess.ID, EndedByOperator, e.Why))
	}
	return err
}

// refreshSpent handles a token that is not the current one of its session.
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
	case grace: // an older token, and it is unknown when it was spent
		return Tokens{}, errBadRefresh
	}
	s.cfg.Log.WarnContext(ctx, "a spent refresh token was used again; its session is ended", "user", sess.UserID, "session", id)
	if err := s.endSession(ctx, sess.UserID, id, EndedByReplay, "a refresh token was used twice"); err != nil {
		return Tokens{}, err
	}
	return Tokens{}, Errorf(KindUnauthenticated, badRefresh,
		"it was used before, so somebody else may have it; the session was ended: log in again")
}
