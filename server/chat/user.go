package chat

import (
	"time"
	"unicode/utf8"
)

// A User is an account. Phone is empty where the reader may not see it.
type User struct {
	ID        int64       `json:"id"`
	Phone     string      `json:"phone,omitempty"`
	Username  string      `json:"username"`
	Nickname  string      `json:"nickname"`
	Bio       string      `json:"bio"`
	Avatar    string      `json:"avatar"`
	Role      AccountRole `json:"role"`
	Online    bool        `json:"online"`
	LastSeen  time.Time   `json:"last_seen"`
	CreatedAt time.Time   `json:"created_at"`
	Deleted   bool        `json:"deleted,omitempty"` // the account is gone: of the rest, only ID and CreatedAt say anything
}

// A Profile is the part of an account that its owner may change; a nil field
// stays as it is.
type Profile struct {
	Nickname *string `json:"nickname"`
	Bio      *string `json:"bio"`
	Avatar   *string `json:"avatar"`
}

// Bounds of what a client may write into an account: minPassword in characters,
// the others in bytes.
const (
	minPassword = 6
	maxPassword = 1024
	maxName     = 64
	maxBio      = 1024
	maxAvatar   = 1024
	maxSearch   = 64
)

// withoutPhone returns u as a stranger sees it.
func (u User) withoutPhone() User {
	u.Phone = ""
	return u
}

// checkPhone wants 5 to 20 digits with an optional leading plus.
func checkPhone(phone string) error {
	digits := phone
	if digits != "" && digits[0] == '+' {
		digits = digits[1:]
	}
	if len(digits) < 5 || len(digits) > 20 {
		return Errorf(KindInvalid, "invalid phone", "a phone is 5 to 20 digits with an optional leading +")
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return Errorf(KindInvalid, "invalid phone", "a phone is 5 to 20 digits with an optional leading +")
		}
	}
	return nil
}

func checkPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return Errorf(KindInvalid, "invalid password", "a password has %d characters or more", minPassword)
	case len(password) > maxPassword:
		return Errorf(KindInvalid, "invalid password", "a password has at most %d bytes", maxPassword)
	}
	return nil
}

// checkText wants valid UTF-8 of at most limit bytes in the field called name.
func checkText(name, text string, limit int) error {
	if len(text) > limit {
		return Errorf(KindInvalid, "invalid "+name, "%s has at most %d bytes", name, limit)
	}
	if !utf8.ValidString(text) {
		return Errorf(KindInvalid, "invalid "+name, "%s is not valid UTF-8", name)
	}
	return nil
}
