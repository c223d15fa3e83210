// Package needs gives tests the real servers that .ci/services started: each call returns a part of a server that no
// other test uses. If a server is missing, the test is skipped; in CI's full run it fails.
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

// all reports whether all tests run, with everything they need: make test-all.
func all() bool { return os.Getenv("IM_TEST_ALL") != "" }

// env returns a variable that .ci/services has set: the address of a server.
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

// Program skips the test if a program of the system, such as a shell, is not installed. In CI's full run it fails the
// test instead.
func Program(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		return
	}
	if all() && os.Getenv("CI") == "true" {
		t.Fatalf("needs %s, which is not installed", name)
	}
	t.Skipf("needs %s: make test-all installs it on Debian", name)
}

// Time skips a slow test unless all tests run. why completes the sentence "slow, because it …".
func Time(t testing.TB, why string) {
	t.Helper()
	if !all() {
		t.Skipf("slow, because it %s: make test-all, or IM_TEST_ALL=1 go test", why)
	}
}

// Eventually waits until ok returns true, which it calls every 2 ms. After 20 s it ends the test; what says what it waited
// for.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// random returns a unique name of lower-case letters, digits and a hyphen.
func random() string { return "im-" + strings.ToLower(rand.Text()) }

// CA returns the path of the PEM file with the certificate that every server uses for TLS.
func CA(t testing.TB) string {
	t.Helper()
	return env(t, "a certificate", "IM_TEST_CA")
}
