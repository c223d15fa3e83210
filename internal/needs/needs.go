// Package needs gives tests the real servers that .ci/services started: each
// call a corner of one that no other test uses. In CI a server that is not
// there fails the test; elsewhere the test is left out, and make test says so.
package needs

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// env returns what .ci/services wrote under name, the address of server.
func env(t testing.TB, server, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value != "" {
		return value
	}
	why := fmt.Sprintf("needs %s, and %s is empty: run it by make test, or by .ci/services run go test …", server, name)
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	leaveOut(t, server)
	t.Skip(why)
	return ""
}

// leaveOut notes that t is skipped, for make test to list.
func leaveOut(t testing.TB, server string) {
	path := os.Getenv("IM_TEST_LEFT_OUT")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Log(err)
		return
	}
	_, err = fmt.Fprintf(f, "%s (%s)\n", t.Name(), server)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Log(err)
	}
}

// random is a name that nobody else uses, in lower case letters and digits.
func random() string { return "im-" + strings.ToLower(rand.Text()) }

// CA returns the file of the certificate that every server shows on TLS.
func CA(t testing.TB) string {
	t.Helper()
	return env(t, "a certificate", "IM_TEST_CA")
}
