package main

import (
	"encoding/json"
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

// TestOptionsGivenTwice are refused, and do nothing.
func TestOptionsGivenTwice(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	for line, says := range map[string]string{
		"ban --id 2 --id 1":                 "--id is given twice",
		"ban --id=1 --id=1 --id=1":          "--id is given twice",
		"users --json --json":               "--json is given twice",
		"users --db=sqlite://x --db file:x": "--db is given twice",
	} {
		code, out, errOut := prog.told(t, "", strings.Fields(line)...)
		if code != exitUsage || out != "" || strings.Count(errOut, says) != 1 {
			t.Errorf("%s: exit code %d: %s%s", line, code, out, errOut)
		}
	}
	if out := prog.tell(t, "users", "--status=banned"); !strings.Contains(out, "0 of 0") {
		t.Error(out)
	}
	if _, err := parse([]string{"--addr=:1", "--addr=:2"}, env(nil), t.Output()); err == nil || err.Error() != "--addr is given twice" {
		t.Error(err)
	}
}

// TestAdminWarnsOfUnknownVariables on standard error alone.
func TestAdminWarnsOfUnknownVariables(t *testing.T) {
	prog := alone(t)
	launch(t, prog).register(t, "10001")
	t.Setenv("IM_BLOBB", "x")
	for _, args := range [][]string{{"users"}, {"users", "--json"}} {
		code, out, errOut := prog.told(t, "", args...)
		if code != exitOK || strings.Contains(out, "IM_BLOBB") || strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, "IM_BLOBB") {
			t.Errorf("exit code %d: %s%s", code, out, errOut)
		}
		if len(args) > 1 && !json.Valid([]byte(errOut)) {
			t.Error(errOut)
		}
	}
}

// TestAdminErrorsHaveTheirCause in JSON as in text.
func TestAdminErrorsHaveTheirCause(t *testing.T) {
	prog := alone(t)
	prog.env = []string{"IM_DB=mysql://u:p@127.0.0.1:1/im"}
	for _, verb := range []string{"users", "unban --id=1"} {
		code, _, text := prog.told(t, "", strings.Fields(verb)...)
		_, _, asJSON := prog.told(t, "", strings.Fields(verb+" --json")...)
		var f failure
		err := json.Unmarshal([]byte(asJSON), &f)
		if code != exitFailed || err != nil || f.Code != "unavailable" || !strings.Contains(f.Details, "connection refused") || "imserver admin: "+f.Details+"\n" != text {
			t.Errorf("%s: exit code %d: %s%s", verb, code, text, asJSON)
		}
		if reads := verb == "users"; reads == strings.Contains(text, "nothing was stored") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
