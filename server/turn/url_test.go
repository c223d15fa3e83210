package turn_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/server/turn"
)

func TestParseURLs(t *testing.T) {
	good := []string{
		"stun:stun.example.com", "turn:turn.example.com:3478?transport=udp", "stuns:stun.example.com:5349",
		"turns:turn.example.com?transport=tcp", "stun:192.0.2.1:3478", "turn:[2001:db8::1]:3478",
	}
	stun, relays, err := turn.ParseURLs(good)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{good[0], good[2], good[4]}, stun); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{good[1], good[3], good[5]}, relays); diff != "" {
		t.Error(diff)
	}
	bad := []string{
		"", "stun.example.com", "http://example.com", "stun:", "stun://example.com", "turn::3478", "turn:host:0", "turn:host:70000", "turn:host:x",
		"turn:host?transport=sctp", "stun:host?transport=udp", "turn:a b", "turn:-host", "turn:host/path", "\x00", "turn:host:3478:9",
	}
	_, _, err = turn.ParseURLs(bad)
	if err == nil {
		t.Fatal("no fault")
	}
	if n := strings.Count(err.Error(), "\n") + 1; n != len(bad) {
		t.Errorf("%d faults of %d:\n%v", n, len(bad), err)
	}
	if _, _, err = turn.ParseURLs([]string{"turn:user:hunter2@host"}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password: %v", err)
	}
}
