package auth

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	period = 30 // seconds per code; authenticators assume this
	skew   = 1  // periods by which a client's clock may be fast or slow
)

// Codes implements chat.Codes with the time-based one-time passwords of RFC 6238, with the parameters that
// authenticators support: six digits, SHA-1, 30 s. It encrypts secrets with AES-256-GCM. It is safe for concurrent use.
type Codes struct {
	issuer string
	aead   cipher.AEAD
}

var _ chat.Codes = (*Codes)(nil)

// NewCodes makes Codes. The encryption key is derived from the server's signing secret: with another signing secret,
// the encrypted secrets cannot be read. issuer is the name that authenticators show.
func NewCodes(secret []byte, issuer string) (*Codes, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "onemeter two-factor secrets", 32)
	if err != nil {
		return nil, fmt.Errorf("auth: key for two-factor secrets: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("auth: key for two-factor secrets: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("auth: key for two-factor secrets: %w", err)
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

// Step implements chat.Codes. It always compares all steps, so that its duration does not reveal which one matched.
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
		return "", fmt.Errorf("auth: the stored two-factor secret of user %d is too short", userID)
	}
	secret, err := c.aead.Open(nil, locked[:n], locked[n:], owner(userID))
	if err != nil {
		return "", fmt.Errorf("auth: the stored two-factor secret of user %d was not encrypted with this signing secret: %w",
			userID, err)
	}
	return string(secret), nil
}

// owner returns the additional data that binds an encrypted secret to an account.
func owner(userID int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(userID)) }
