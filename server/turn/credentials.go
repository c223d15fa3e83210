package turn

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Credentials makes names and passwords that are valid for a limited time, in the format of
// draft-uberti-behave-turn-rest, which coturn (use-auth-secret) and others check: the name is "<end in Unix
// seconds>:<user>", the password its HMAC. Servers with the same secret accept each other's. It is safe for
// concurrent use.
type Credentials struct {
	secret []byte
	ttl    time.Duration
}

// NewCredentials makes Credentials that are valid for ttl, in whole seconds. Anyone who has secret can make them for
// every user.
func NewCredentials(secret []byte, ttl time.Duration) *Credentials {
	return &Credentials{secret: secret, ttl: ttl}
}

// TTL returns how long a credential is valid.
func (c *Credentials) TTL() time.Duration { return c.ttl }

// For returns a name and password for a user, valid from now on.
func (c *Credentials) For(user int64, now time.Time) (username, password string) {
	username = strconv.FormatInt(now.Add(c.ttl).Unix(), 10) + ":" + strconv.FormatInt(user, 10)
	return username, c.password(username)
}

// password returns an HMAC with SHA-1, because that is the convention. The known attacks on SHA-1 do not weaken the
// HMAC.
func (c *Credentials) password(username string) string {
	mac := hmac.New(sha1.New, c.secret)
	_, _ = mac.Write([]byte(username)) // never fails (hash.Hash)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A login is the content of a name.
type login struct {
	user  int64
	until time.Time
}

// read returns the login in username if it is still valid at now. pion checks the password.
func (c *Credentials) read(username string, now time.Time) (login, bool) {
	end, user, ok := strings.Cut(username, ":")
	unix, endErr := strconv.ParseInt(end, 10, 64)
	id, userErr := strconv.ParseInt(user, 10, 64)
	l := login{user: id, until: time.Unix(unix, 0)}
	return l, ok && endErr == nil && userErr == nil && now.Before(l.until)
}
