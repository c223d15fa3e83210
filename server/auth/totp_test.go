package auth

import (
	"bytes"
	"net/url"
	"testing"
	"time"
)

func newCodes(t *testing.T, secret byte) *Codes {
	t.Helper()
	c, err := NewCodes(bytes.Repeat([]byte{secret}, 32), "Onemeter")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCodesOfTheRFC checks the last six digits of the vectors in RFC 6238, appendix B. Their secret is the ASCII text
// 12345678901234567890.
func TestCodesOfTheRFC(t *testing.T) {
	c := newCodes(t, 1)
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		for off, want := range map[int64]bool{-30: true, 0: true, 30: true, -90: false, 90: false} {
			step, ok, err := c.Step(secret, code, time.Unix(at+off, 0))
			if ok != want || err != nil || ok && step != at/30 {
				t.Errorf("the code of %d, %d s later: step %d, %v, %v", at, off, step, ok, err)
			}
		}
	}
	for _, code := range []string{"", "28708", "2870822", "94287082", "287 082", "２８７０８２", "28708x", "\x00", string(make([]byte, 10000))} {
		if _, ok, err := c.Step(secret, code, time.Unix(59, 0)); ok || err != nil {
			t.Errorf("%.20q: %v, %v", code, ok, err)
		}
	}
	if _, _, err := c.Step("no base32!", "287082", time.Unix(59, 0)); err == nil {
		t.Error("an invalid secret was accepted")
	}
}

func TestSecretsAreLocked(t *testing.T) {
	c := newCodes(t, 1)
	secret, link, err := c.New("ann: <me> ü")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Query().Get("secret") != secret || u.Query().Get("issuer") != "Onemeter" {
		t.Errorf("%s: %v", link, err)
	}
	if other, _, err := c.New("ann"); err != nil || other == secret || len(secret) < 32 {
		t.Errorf("%q and %q: %v", secret, other, err)
	}
	locked := c.Lock(7, secret)
	if bytes.Contains(locked, []byte(secret)) || bytes.Equal(locked, c.Lock(7, secret)) {
		t.Errorf("%q", locked)
	}
	if got, err := c.Unlock(7, locked); got != secret || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := c.Unlock(8, locked); err == nil {
		t.Errorf("unlocked with the id of another user: %q", got)
	}
	if got, err := newCodes(t, 2).Unlock(7, locked); err == nil {
		t.Errorf("unlocked with another signing secret: %q", got)
	}
	for i := range locked {
		bad := bytes.Clone(locked)
		bad[i] ^= 1
		if got, err := c.Unlock(7, bad); err == nil {
			t.Errorf("byte %d changed: %q", i, got)
		}
		if got, err := c.Unlock(7, locked[:i]); err == nil {
			t.Errorf("cut to %d: %q", i, got)
		}
	}
}
