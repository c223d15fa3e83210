package chat

import "time"

// A Session is one login. Its access tokens and its refresh token live and die
// with it.
type Session struct {
	ID          string
	UserID      int64
	RefreshHash []byte // SHA-256 of the one refresh token that is good
	CreatedAt   time.Time
	RotatedAt   time.Time // when that took the place of the one before; zero: it is the first
	ExpiresAt   time.Time // of the refresh token

	Device       string // what logged in, for its user to recognize
	Addr         string // and from where
	SecondFactor bool   // with more than a password
}

// A Login is an account as it is found to be logged in to.
type Login struct {
	User
	PasswordHash string
	TwoFactor    bool  // a password is not enough
	Epoch        int64 // goes up when all sessions end: see SessionStore.EndSessions
}

// A Caller is who asks: a user, by a session, and over which connection, if any.
type Caller struct {
	UserID    int64
	SessionID string
	Conn      uint64 // id of the WebSocket, 0 for a plain request
}

// Claims are what an access token says.
type Claims struct {
	UserID    int64
	SessionID string
	ExpiresAt time.Time
}

// Tokens are what a login answers.
type Tokens struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of the access token
	User      User

	// LoginToken, where it is not empty, is all there is besides its ExpiresIn: a
	// second factor is wanted, see LoginSecond.
	LoginToken string
	// DeviceToken makes later logins from a device that was trusted with this one as
	// good as with a code.
	DeviceToken string
}
