package main

import (
	"crypto/sha256"
	"time"
)

const maxTokens = 1000

// tokens maps hashes of access tokens to the time at which a backend answered for them.
// The zero value is empty. It is not safe for concurrent use.
type tokens map[[sha256.Size]byte]time.Time

// add stores that a backend answered for a token at now. If there are maxTokens, it
// first forgets all, so that backends are asked about them again.
func (t *tokens) add(key [sha256.Size]byte, now time.Time) {
	if *t == nil || len(*t) >= maxTokens {
		*t = make(tokens)
	}
	(*t)[key] = now
}

// has reports whether a backend answered for the token, less than the duration within
// before now.
func (t tokens) has(key [sha256.Size]byte, now time.Time, within time.Duration) bool {
	since, ok := t[key]
	return ok && now.Sub(since) < within
}
