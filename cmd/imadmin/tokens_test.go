package main

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"
)

func TestTokensAreBoundedAndAge(t *testing.T) {
	var known tokens
	now := time.Unix(1_800_000_000, 0)
	first := sha256.Sum256([]byte("first"))
	if known.has(first, now, time.Hour) {
		t.Error("the zero value has a token")
	}
	known.add(first, now)
	if !known.has(first, now.Add(9*time.Second), 10*time.Second) || known.has(first, now.Add(10*time.Second), 10*time.Second) {
		t.Error("a token has not the age of its answer")
	}
	for i := range 3 * maxTokens {
		key := sha256.Sum256([]byte(strconv.Itoa(i)))
		known.add(key, now)
		if len(known) > maxTokens || !known.has(key, now, time.Second) {
			t.Fatalf("after %d tokens it has %d", i+1, len(known))
		}
	}
}
