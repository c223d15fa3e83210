package chat

import (
	"context"
	"io"
	"time"
)

// Blobs keep the bytes of files. All methods are safe for concurrent use.
type Blobs interface {
	// Put stores the bytes of r under a new key, which it chooses. They are durable when
	// it returns. After an error nothing stays stored.
	Put(ctx context.Context, r io.Reader) (key string, err error)
	// Open returns the bytes under key. The caller closes them. The error is ErrNotFound
	// if there are none.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// Delete deletes the bytes under key. It is idempotent.
	Delete(ctx context.Context, key string) error
}

// A Cleaner is implemented by Blobs that need regular cleaning. Clean removes what
// interrupted uploads have left.
type Cleaner interface {
	Clean(ctx context.Context) error
}

// A Bus carries events to the connections of users on all nodes. It is safe for
// concurrent use.
type Bus interface {
	// Publish sends e to every subscriber on every node, including this one. Events of
	// one publisher arrive in order. Events may be lost while nodes cannot reach each
	// other.
	Publish(ctx context.Context, e Event) error
}

// Presence knows who is connected to any node. It is safe for concurrent use.
type Presence interface {
	// Connected counts a new connection of userID to this node. first reports whether it
	// is the user's only one on all nodes.
	Connected(ctx context.Context, userID int64) (first bool, err error)
	// Disconnected counts a connection less. last reports whether the user has no other
	// one on any node.
	Disconnected(ctx context.Context, userID int64) (last bool, err error)
	// Online returns which of ids are connected.
	Online(ctx context.Context, ids []int64) (map[int64]bool, error)
	// Everyone lists the ids of all connected users, without duplicates, in no particular
	// order.
	Everyone(ctx context.Context) ([]int64, error)
}

// A Cache keeps values that are expensive to load. It is safe for concurrent use.
type Cache[K comparable, V any] interface {
	// Load returns the cached value for key. If there is none, it calls load, and caches
	// its result unless it is an error. Concurrent calls for one key share a call of
	// load. A value whose load began before a Drop must not be cached after it. hit
	// reports whether the value was cached.
	Load(ctx context.Context, key K, load func(context.Context) (V, error)) (v V, hit bool, err error)
	// Drop removes keys from the cache, on every node.
	Drop(ctx context.Context, keys ...K) error
}

// A Limiter limits how often something may happen for a key. It is safe for concurrent
// use. It has no error: an implementation that shares its counts with other nodes must
// decide alone while it cannot reach them.
type Limiter[K comparable] interface {
	// Take uses one turn of key and returns 0. If there is none, it returns how long to
	// wait for one.
	Take(ctx context.Context, key K) (wait time.Duration)
	// Peek is Take without using the turn.
	Peek(ctx context.Context, key K) (wait time.Duration)
}

// A Hasher hashes passwords. It is safe for concurrent use.
type Hasher interface {
	// Hash returns a salted, slow hash of password.
	Hash(ctx context.Context, password string) (string, error)
	// Verify reports whether hash is one of password. For an empty hash it returns
	// false, and takes as long as for any other, so that its duration does not reveal
	// whether an account exists.
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// Usernames decide which usernames are equal, and which are allowed. They are safe for
// concurrent use.
type Usernames interface {
	// Key returns the same text for all spellings of a name: in upper and lower case, and
	// with the different codes that Unicode has for the same characters.
	Key(name string) string
	// Check returns an [*Error] if a new account may not have this name. Names consist of
	// letters, digits, dots, dashes and underscores: that is checked before.
	Check(name string) error
}

// Codes generate and check the one-time codes of authenticator apps, and encrypt their
// secrets. They are safe for concurrent use.
type Codes interface {
	// New returns a new secret in Base32, and its otpauth:// URL for an authenticator
	// app, which shows it under the name account.
	New(account string) (secret, url string, err error)
	// Step returns the time step whose code is code, if there is one near at. Each step
	// has one code, and later steps have larger numbers.
	Step(secret, code string, at time.Time) (step int64, ok bool, err error)
	// Lock encrypts the secret of a user.
	Lock(userID int64, secret string) []byte
	// Unlock decrypts what Lock returned for the same user.
	Unlock(userID int64, locked []byte) (string, error)
}

// A Signer signs and reads access tokens. It is safe for concurrent use.
type Signer interface {
	// Sign returns an access token with these claims.
	Sign(c Claims) (string, error)
	// Parse returns the claims of a token. It returns an error unless this signer's key
	// signed the token and it is valid at now.
	Parse(token string, now time.Time) (Claims, error)
	// Seal returns a message authentication code of text, in letters, digits, dashes and
	// underscores. It is always the same for the same text.
	Seal(text string) string
}
