package turn

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Credentials makes names and passwords that are good for a while, as
// draft-uberti-behave-turn-rest has it and coturn (use-auth-secret) and others
// check it: the name is "<end in Unix seconds>:<user>", the password its HMAC.
// Servers with the same secret take each other's. It is safe for concurrent use.
type Credentials struct {
	secret []byte
	ttl    time.Duration
}

// NewCredentials makes Credentials that are good for ttl, in whole seconds.
// Whoever has secret can make them for everyone.
func NewCredentials(secret []byte, ttl time.Duration) *Credentials {
	return &Credentials{secret: secret, ttl: ttl}
}

// TTL is how long a credential is good.
func (c *Credentials) TTL() time.Duration { return c.ttl }

// For returns the name and password of a user from now on.
func (c *Credentials) For(user int64, now time.Time) (username, password string) {
	username = strconv.FormatInt(now.Add(c.ttl).Unix(), 10) + ":" + strconv.FormatInt(user, 10)
	return username, c.password(username)
}

// password is an HMAC with SHA-1, since that is the convention; it is no
// weaker for what is known of SHA-1.
func (c *Credentials) password(username string) string {
	mac := hmac.New(sha1.New, c.secret)
	_, _ = mac.Write([]byte(username)) // never fails (hash.Hash)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A login is what a name says.
type login struct {
	user  int64
	until time.Time
}

// read returns what username says if it is still good at now. Who has no
// password for it is found out by pion.
func (c *Credentials) read(username string, now time.Time) (login, bool) {
	end, user, ok := strings.Cut(username, ":")
	unix, endErr := strconv.ParseInt(end, 10, 64)
	id, userErr := strconv.ParseInt(user, 10, 64)
	l := login{user: id, until: time.Unix(unix, 0)}
	return l, ok && endErr == nil && userErr == nil && now.Before(l.until)
}
