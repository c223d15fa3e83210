// Package needs gives tests the real servers that .ci/services started: each
// call a corner of one that no other test uses. Where they were started, in CI,
// a server that is not there fails the test; elsewhere the test is skipped.
package needs

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// all tells whether the tests run with all that they need: make test-all.
func all() bool { return os.Getenv("IM_TEST_ALL") != "" }

// env returns what .ci/services wrote under name, the address of server.
func env(t testing.TB, server, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value != "" {
		return value
	}
	why := fmt.Sprintf("needs %s (%s): make test-all, or .ci/services run go test", server, name)
	if all() && os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// Program wants a program of the system, such as a shell, under its name.
func Program(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if all() && os.Getenv("CI") == "true" {
		t.Fatalf("needs %s, and it is not installed", name)
	}
	t.Skipf("needs %s: make test-all installs it on Debian", name)
}

// Time skips a test that takes long, for the reason given, unless all tests are to run.
func Time(t testing.TB, why string) {
	t.Helper()
	if !all() {
		t.Skipf("takes long: it %s: make test-all, or IM_TEST_ALL=1 go test", why)
	}
}

// Eventually waits until ok, and fails t if that takes 20 s.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// random is a name that nobody else uses, in lower case letters and digits.
func random() string { return "im-" + strings.ToLower(rand.Text()) }

// CA returns the file of the certificate that every server shows on TLS.
func CA(t testing.TB) string {
	t.Helper()
	return env(t, "a certificate", "IM_TEST_CA")
}
