package chat

import "time"

// A Session begins with a login. Its access tokens and its refresh token become invalid
// when it ends.
type Session struct {
	ID          string
	UserID      int64
	RefreshHash []byte // SHA-256 of the current refresh token
	CreatedAt   time.Time
	RotatedAt   time.Time // when the current refresh token replaced the last one; zero: it is the first
	ExpiresAt   time.Time // of the refresh token

	Device       string // name of the device that logged in, for the user to recognize it
	Addr         string // IP address of the login; empty: unknown
	SecondFactor bool   // logged in with a second factor
}

// A Login is an account with what a login needs.
type Login struct {
	User
	PasswordHash string
	TwoFactor    bool  // two-factor login is on
	Epoch        int64 // goes up when all sessions end: see SessionStore
}

// A Caller identifies who calls a method of the Service: a user with a session.
type Caller struct {
	UserID    int64
	SessionID string
	Conn      uint64 // id of the WebSocket; 0: an HTTP request
}

// Claims are the content of an access token.
type Claims struct {
	UserID    int64
	SessionID string
	ExpiresAt time.Time
}

// Tokens are the result of a login.
type Tokens struct {
	Access    string
	Refresh   string
	ExpiresIn time.Duration // of the access token
	User      User

	// LoginToken is not empty if the login needs a second factor: see LoginSecond. Then
	// ExpiresIn is its lifetime, and all other fields are empty.
	LoginToken string
	// DeviceToken is the token of a device that is trusted from now on: see Credentials.
	// It is empty for other devices.
	DeviceToken string
}
