package main

import (
	"strings"
	"testing"
)

// TestAdminListsAreNeverNull even if they are empty.
func TestAdminListsAreNeverNull(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	prog.tell(t, "logout", "--username=u10001")
	for _, line := range []string{"list --json", "sessions --id=1 --json", "users --name=nobody --json", "audit --module=reports --json"} {
		if out := prog.tell(t, strings.Fields(line)...); strings.Contains(out, "null") || !strings.Contains(out, "[]") {
			t.Errorf("%s: %s", line, out)
		}
	}
}
