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

// A Signer implements chat.Signer: JSON Web Tokens, signed with HS256 and
// nothing else. It is safe for concurrent use.
type Signer struct{ secret []byte }

var _ chat.Signer = (*Signer)(nil)

// NewSigner makes a Signer. Whoever has secret can sign for everyone.
func NewSigner(secret []byte) *Signer { return &Signer{secret: secret} }

// claims are the JSON of a token. exp is in whole seconds.
type claims struct {
	jwt.RegisteredClaims
	SessionID string `json:"sid"`
}

var (
	errClaims = errors.New("a token is for a user and a session, for a time")
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

// Parse implements chat.Signer. There is no leeway: what reads the clock is
// the server that set the time.
func (s *Signer) Parse(token string, now time.Time) (chat.Claims, error) {
	if len(token) > maxToken {
		return chat.Claims{}, fmt.Errorf("auth: parse: %w: it is too long", errToken)
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
		return chat.Claims{}, fmt.Errorf("auth: parse: %w: it names no user or session", errToken)
	}
	return chat.Claims{UserID: id, SessionID: c.SessionID, ExpiresAt: c.ExpiresAt.UTC()}, nil
}

// Seal implements chat.Signer. The word in front keeps a seal from ever being
// the signature of a token.
func (s *Signer) Seal(text string) string {
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("seal\x00" + text))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// validSession wants an id in the alphabet of URLs.
func validSession(id string) bool {
	return id != "" && len(id) <= maxSessionID && strings.IndexFunc(id, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_'
	}) < 0
}
