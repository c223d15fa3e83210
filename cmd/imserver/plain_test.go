package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"anna 你好 👩‍🚀 C:\\x":                    "anna 你好 👩‍🚀 C:\\x",
		"a\nb\rc\td\x1b[2J\x00\u0085":          `a\nb\rc\td\u001b[2J\u0000\u0085`,
		"\u2028\u2029\u202e\u2066\u200f\u061c": `\u2028\u2029\u202e\u2066\u200f\u061c`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	err := fmt.Errorf("x: %w", errors.Join(errors.New("one\nforged"), nil, usageError("%w: two\r", errors.New("in")), errUsage))
	if got, want := plainError(err), "x: one\\nforged\nin: two\\r"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestAdminTablesHaveALineForEachRow whatever users and operators wrote.
func TestAdminTablesHaveALineForEachRow(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	prog.tell(t, "ban", "--username=u10001", "--reason=spam\n9 forged\u2028\r\v\f\tx\u202e")
	for args, want := range map[string]int{"users": 3, "audit": 3} {
		if out := prog.tell(t, args); strings.Count(out, "\n") != want || !strings.Contains(out, `spam\n9 forged\u2028\r\u000b\u000c\tx\u202e`) || strings.ContainsAny(out, "\r\t\v\f\u2028\u202e") {
			t.Errorf("%s: %q", args, out)
		}
	}
	if _, _, errOut := prog.told(t, "", "backup", "--to", prog.dir+"\nforged"); strings.Count(errOut, "\n") > 2 {
		t.Error(errOut)
	}
}
