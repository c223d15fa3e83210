package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	period = 30 // seconds that a code is for: what authenticators take for granted
	skew   = 1  // periods that a client's clock may be off, either way
)

// Codes implements chat.Codes with the time-based one-time passwords of RFC 6238, as
// authenticators have them: six digits, SHA-1, 30 s. It keeps secrets encrypted with
// AES-256-GCM. It is safe for concurrent use.
type Codes struct {
	issuer string
	aead   cipher.AEAD
}

var _ chat.Codes = (*Codes)(nil)

// NewCodes makes Codes whose key is derived from the server's signing secret: with
// another one, what was encrypted is lost. issuer is what authenticators show.
func NewCodes(secret []byte, issuer string) (*Codes, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "onemeter two-factor secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("auth: key of two-factor secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("auth: key of two-factor secrets: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("auth: key of two-factor secrets: %w", err)
	}
	return &Codes{issuer: issuer, aead: aead}, nil
}

// New implements chat.Codes.
func (c *Codes) New(account string) (secret, url string, err error) {
	key, err := totp.Generate(totp.GenerateOpts{Issuer: c.issuer, AccountName: account, Period: period})
	if err != nil {
		return "", "", fmt.Errorf("auth: new two-factor secret: %w", err)
	}
	return key.Secret(), key.URL(), nil
}

// Step implements chat.Codes. All steps are compared, whichever is right.
func (c *Codes) Step(secret, code string, at time.Time) (step int64, ok bool, err error) {
	for n := -skew; n <= skew; n++ {
		then := at.Add(time.Duration(n) * period * time.Second)
		want, err := totp.GenerateCodeCustom(secret, then, totp.ValidateOpts{Period: period, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, false, fmt.Errorf("auth: two-factor code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			step, ok = then.Unix()/period, true
		}
	}
	return step, ok, nil
}

// Lock implements chat.Codes.
func (c *Codes) Lock(userID int64, secret string) []byte {
	nonce := make([]byte, c.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return c.aead.Seal(nonce, nonce, []byte(secret), owner(userID))
}

// Unlock implements chat.Codes.
func (c *Codes) Unlock(userID int64, locked []byte) (string, error) {
	n := c.aead.NonceSize()
	if len(locked) < n {
		return "", errors.New("auth: a stored two-factor secret is too short")
	}
	secret, err := c.aead.Open(nil, locked[:n], locked[n:], owner(userID))
	if err != nil {
		return "", fmt.Errorf("auth: a stored two-factor secret was not made with this signing secret: %w", err)
	}
	return string(secret), nil
}

// owner binds what is encrypted to an account.
func owner(userID int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(userID)) }
