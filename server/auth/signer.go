package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	issuer       = "onemeter"
	maxToken     = 1024 // bytes
	maxSessionID = 64
)

// A Signer implements chat.Signer with JSON Web Tokens, signed with HS256. It accepts no other algorithm. It is safe
// for concurrent use.
type Signer struct{ secret []byte }

var _ chat.Signer = (*Signer)(nil)

// NewSigner makes a Signer. Keep secret: whoever has it can sign tokens for every user.
func NewSigner(secret []byte) *Signer { return &Signer{secret: secret} }

// claims is the JSON of a token. exp is in whole seconds.
type claims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid"`
}

var (
	errClaims = errors.New("a token needs a user, a session and an expiry")
	errToken  = errors.New("the token is not valid")
)

// Sign implements chat.Signer.
func (s *Signer) Sign(c chat.Claims) (string, error) {
	if c.UserID <= 0 || !validSession(c.SessionID) || c.ExpiresAt.IsZero() {
		return "", fmt.Errorf("auth: sign: %w", errClaims)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		SessionID: c.SessionID,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: issuer, Subject: strconv.FormatInt(c.UserID, 10), ExpiresAt: jwt.NewNumericDate(c.ExpiresAt),
		},
	}).SignedString(s.secret)
	if err != nil {
		return "", fmt.Errorf("auth: sign: %w", err)
	}
	return token, nil
}

// Parse implements chat.Signer. It allows no leeway for clocks, since the server that checks the time has set it.
func (s *Signer) Parse(token string, now time.Time) (chat.Claims, error) {
	if len(token) > maxToken {
		return chat.Claims{}, fmt.Errorf("auth: parse: %w: it has %d bytes, more than %d", errToken, len(token), maxToken)
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(issuer),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	var c claims
	if _, err := parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.secret, nil }); err != nil {
		return chat.Claims{}, fmt.Errorf("auth: parse: %w (%w)", errToken, err)
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil || id <= 0 || strconv.FormatInt(id, 10) != c.Subject || !validSession(c.SessionID) {
		return chat.Claims{}, fmt.Errorf("auth: parse: %w: it has no valid user and session", errToken)
	}
	return chat.Claims{UserID: id, SessionID: c.SessionID, ExpiresAt: c.ExpiresAt.UTC()}, nil
}

// Seal implements chat.Signer. The prefix ensures that a seal is never the signature of a token.
func (s *Signer) Seal(text string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("seal\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// validSession reports whether id is not empty, not too long, and in the alphabet of Base64 for URLs.
func validSession(id string) bool {
	return id != "" && len(id) <= maxSessionID && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	}) < 0
}
