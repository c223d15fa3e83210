package chat

import (
	"time"
	"unicode/utf8"
)

// A User is an account. Phone is empty if the reader may not see it.
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
	Deleted   bool        `json:"deleted,omitempty"` // the account was deleted: only ID and CreatedAt are set
}

// A Profile is the part of an account that its user may change. Nil fields stay
// unchanged.
type Profile struct {
	Nickname *string `json:"nickname"`
	Bio      *string `json:"bio"`
	Avatar   *string `json:"avatar"`
}

// Limits of the fields of an account: minPassword in characters, the others in bytes.
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

// checkPhone returns an error unless phone is 5 to 20 digits with an optional leading +.
func checkPhone(phone string) error {
	if phone == "" {
		return Errorf(KindInvalid, "phone is missing", "want 5 to 20 digits, with an optional + before them")
	}
	digits := phone
	if digits != "" && digits[0] == '+' {
		digits = digits[1:]
	}
	const why = "phone must be 5 to 20 digits, with an optional + before them"
	if len(digits) < 5 || len(digits) > 20 {
		return Errorf(KindInvalid, "invalid phone", why)
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return Errorf(KindInvalid, "invalid phone", why)
		}
	}
	return nil
}

func checkPassword(password string) error {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return Errorf(KindInvalid, "invalid password", "a password must have at least %d characters", minPassword)
	case len(password) > maxPassword:
		return Errorf(KindInvalid, "invalid password", "a password can have at most %d bytes", maxPassword)
	}
	return nil
}

// checkText returns an error unless the field name is valid UTF-8 of at most limit bytes.
func checkText(name, text string, limit int) error {
	if len(text) > limit {
		return Errorf(KindInvalid, "invalid "+name, "%s can have at most %d bytes", name, limit)
	}
	if !utf8.ValidString(text) {
		return Errorf(KindInvalid, "invalid "+name, "%s is not valid UTF-8", name)
	}
	return nil
}
