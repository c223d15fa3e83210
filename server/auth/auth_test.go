package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"go.uber.org/goleak"

	"github.com/onemeter/onemeter/server/chat"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cheap is for tests in which the cost does not matter.
var cheap = Cost{Memory: 8, Passes: 1, Threads: 1}

func TestHashAndVerify(t *testing.T) {
	h := NewHasher()
	hash, err := h.Hash(t.Context(), "пароль 𠮷")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Error(hash)
	}
	other, err := h.Hash(t.Context(), "пароль 𠮷")
	if err != nil || other == hash {
		t.Error("the same salt twice", err)
	}
	for password, want := range map[string]bool{"пароль 𠮷": true, "пароль": false, "": false, "пароль 𠮷\x00": false} {
		if ok, err := h.Verify(t.Context(), hash, password); ok != want || err != nil {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
	}
}

// TestVerifyKnown checks a test vector of the reference implementation, whose cost differs from the Hasher's.
func TestVerifyKnown(t *testing.T) {
	h := newHasher(cheap, 1, 1, time.Second)
	const hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	for password, want := range map[string]bool{"password": true, "passwore": false} {
		if ok, err := h.Verify(t.Context(), hash, password); ok != want || err != nil {
			t.Errorf("%q: %v, %v", password, ok, err)
		}
	}
}

func TestEmptyHashNeverMatches(t *testing.T) {
	h := newHasher(cheap, 1, 1, time.Second)
	// An empty password and another one: Verify compares with a key of zeros, but must not return true.
	for _, password := range []string{"", "x"} {
		if ok, err := h.Verify(t.Context(), "", password); ok || err != nil {
			t.Error(ok, err)
		}
	}
}

// TestEmptyHashCostsTheSame measures memory, which, unlike time, is the same on a busy machine.
func TestEmptyHashCostsTheSame(t *testing.T) {
	h := NewHasher()
	hash, err := h.Hash(t.Context(), "secret")
	if err != nil {
		t.Fatal(err)
	}
	spent := func(hash string) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if ok, err := h.Verify(t.Context(), hash, "wrong"); ok || err != nil {
			t.Fatal(ok, err)
		}
		runtime.ReadMemStats(&after)
		return (after.TotalAlloc - before.TotalAlloc) >> 20
	}
	if there, none := spent(hash), spent(""); there != none || none < 19 {
		t.Errorf("%d MiB with a hash, %d without", there, none)
	}
}

func TestBadHashes(t *testing.T) {
	h := newHasher(cheap, 1, 1, time.Second)
	for _, hash := range []string{
		"plain", "$", "$$$$$", "$argon2id$v=19$m=8,t=1,p=1$$", "$2a$10$abc",
		"$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=16$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=1000000,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=0$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=0,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=7,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=-1,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$t=2,m=19456,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1,x=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAA!",
		"$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + strings.Repeat("A", 300),
	} {
		if ok, err := h.Verify(t.Context(), hash, "x"); ok || err == nil {
			t.Errorf("%s was accepted", hash)
		}
	}
}

func TestHasherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHasher(cheap, 1, 3, time.Second)
		h.queue <- struct{}{} // one runs and does not end
		h.slots <- struct{}{}
		var wg sync.WaitGroup
		wait := func(ctx context.Context, want error) {
			wg.Go(func() {
				if _, err := h.Hash(ctx, "x"); !errors.Is(err, want) {
					t.Errorf("%v, want %v", err, want)
				}
			})
			synctest.Wait()
		}
		ctx, cancel := context.WithCancel(t.Context())
		wait(ctx, context.Canceled)
		wait(t.Context(), errBusy) // after maxWait
		_, err := h.Verify(t.Context(), "", "x")
		if e, ok := errors.AsType[*chat.Error](err); !ok || e.Kind != chat.KindUnavailable || e.RetryAfter == 0 {
			t.Errorf("the queue is full: %v", err)
		}
		cancel()
		wg.Wait()
		if len(h.queue) != 1 {
			t.Errorf("%d in the queue, want 1", len(h.queue))
		}
		h.leave()
		if _, err := h.Hash(t.Context(), "x"); err != nil {
			t.Error(err)
		}
		if _, err := h.Hash(ctx, "x"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestSignAndParse(t *testing.T) {
	s := NewSigner(bytes.Repeat([]byte{7}, 32))
	want := chat.Claims{UserID: 1<<63 - 1, SessionID: "aZ09-_", ExpiresAt: now.Add(time.Hour)}
	token, err := s.Sign(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []time.Time{now, want.ExpiresAt.Add(-time.Nanosecond)} {
		if got, err := s.Parse(token, at); got != want || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := s.Parse(token, want.ExpiresAt); err == nil {
		t.Error("an expired token was accepted")
	}
	if _, err := NewSigner([]byte("another secret")).Parse(token, now); err == nil {
		t.Error("a token of another secret was accepted")
	}
	for _, c := range []chat.Claims{
		{}, {UserID: -1, SessionID: "s", ExpiresAt: now}, {UserID: 1, ExpiresAt: now}, {UserID: 1, SessionID: "s"},
		{UserID: 1, SessionID: "a b", ExpiresAt: now}, {UserID: 1, SessionID: strings.Repeat("s", 65), ExpiresAt: now},
	} {
		if token, err := s.Sign(c); err == nil {
			t.Errorf("signed %+v: %s", c, token)
		}
	}
}

func TestForgedTokens(t *testing.T) {
	secret := bytes.Repeat([]byte{7}, 32)
	s := NewSigner(secret)
	good := jwt.MapClaims{"iss": issuer, "sub": "7", "sid": "s", "exp": now.Add(time.Hour).Unix()}
	sign := func(method jwt.SigningMethod, key any, change jwt.MapClaims) string {
		c := jwt.MapClaims{}
		for k, v := range good {
			c[k] = v
		}
		for k, v := range change {
			if c[k] = v; v == nil {
				delete(c, k)
			}
		}
		token, err := jwt.NewWithClaims(method, c).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	hs := func(change jwt.MapClaims) string { return sign(jwt.SigningMethodHS256, secret, change) }
	if _, err := s.Parse(hs(nil), now); err != nil {
		t.Fatal(err)
	}
	valid := hs(nil)
	parts := strings.Split(valid, ".")
	for name, token := range map[string]string{
		"none":              sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"HS384":             sign(jwt.SigningMethodHS384, secret, nil),
		"HS512":             sign(jwt.SigningMethodHS512, secret, nil),
		"no signature":      parts[0] + "." + parts[1] + ".",
		"two parts":         parts[0] + "." + parts[1],
		"four parts":        valid + ".x",
		"empty":             "",
		"dots":              "..",
		"padding":           valid + "=",
		"other alphabet":    strings.NewReplacer("-", "+", "_", "/").Replace(valid) + "\n",
		"trailing bits":     valid[:len(valid)-1] + string(valid[len(valid)-1]+1),
		"swapped payload":   parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"onemeter","sub":"1","sid":"s","exp":9999999999}`)) + "." + parts[2],
		"too long":          hs(jwt.MapClaims{"x": strings.Repeat("x", maxToken)}),
		"no exp":            hs(jwt.MapClaims{"exp": nil}),
		"exp as text":       hs(jwt.MapClaims{"exp": "tomorrow"}),
		"expired":           hs(jwt.MapClaims{"exp": now.Unix() - 1}),
		"not yet":           hs(jwt.MapClaims{"nbf": now.Unix() + 60}),
		"no issuer":         hs(jwt.MapClaims{"iss": nil}),
		"other issuer":      hs(jwt.MapClaims{"iss": "Onemeter"}),
		"no sub":            hs(jwt.MapClaims{"sub": nil}),
		"sub 0":             hs(jwt.MapClaims{"sub": "0"}),
		"sub negative":      hs(jwt.MapClaims{"sub": "-7"}),
		"sub with a plus":   hs(jwt.MapClaims{"sub": "+7"}),
		"sub with a zero":   hs(jwt.MapClaims{"sub": "07"}),
		"sub with a space":  hs(jwt.MapClaims{"sub": "7 "}),
		"sub as a number":   hs(jwt.MapClaims{"sub": 7}),
		"sub out of range":  hs(jwt.MapClaims{"sub": "9223372036854775808"}),
		"no sid":            hs(jwt.MapClaims{"sid": nil}),
		"sid as an array":   hs(jwt.MapClaims{"sid": []string{"s"}}),
		"sid with a slash":  hs(jwt.MapClaims{"sid": "a/b"}),
		"sid with a letter": hs(jwt.MapClaims{"sid": "ä"}),
	} {
		if c, err := s.Parse(token, now); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
}

func FuzzParse(f *testing.F) {
	s := NewSigner(bytes.Repeat([]byte{7}, 32))
	token, err := s.Sign(chat.Claims{UserID: 7, SessionID: "s", ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{token, "", "..", "a.b.c", token[:len(token)-1], "eyJhbGciOiJub25lIn0.e30.", strings.Repeat(".", 2000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if c, err := s.Parse(in, now); err == nil && in != token {
			t.Errorf("%q accepted as %+v", in, c)
		}
	})
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, in string) {
		p, err := parsePHC(in)
		if err != nil {
			return
		}
		if p.Memory > maxMemory || p.Passes > maxPasses || p.Threads > maxThreads || p.Memory < 8*uint32(p.Threads) {
			t.Errorf("%q costs %+v", in, p.Cost)
		}
		if again, err := parsePHC(p.String()); err != nil || again.Cost != p.Cost || !bytes.Equal(again.key, p.key) {
			t.Errorf("%q became %q", in, p.String())
		}
	})
}

func TestSecret(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "jwt.secret")
	secrets := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			var err error
			if secrets[i], err = Secret(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, s := range secrets {
		if len(s) != secretSize || !bytes.Equal(s, secrets[0]) {
			t.Errorf("%x and %x", s, secrets[0])
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	other, err := Secret(filepath.Join(t.TempDir(), "s"))
	if err != nil || bytes.Equal(other, secrets[0]) {
		t.Error("the same secret twice", err)
	}
}

func TestSecretRefuses(t *testing.T) {
	folder := t.TempDir()
	write := func(name string, size int, mode os.FileMode) string {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.WriteFile(path, make([]byte, size), 0o600), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		write("group", 32, 0o640), write("world", 32, 0o604), write("writable", 32, 0o602),
		write("short", 31, 0o600), write("long", 33, 0o600), write("empty", 0, 0o600),
		folder, filepath.Join(folder, "short", "below a file"),
	} {
		if _, err := Secret(path); err == nil {
			t.Errorf("%s was accepted", path)
		}
	}
	if _, err := Secret(write("good", 32, 0o400)); err != nil {
		t.Error(err)
	}
}

func BenchmarkParse(b *testing.B) {
	s := NewSigner(bytes.Repeat([]byte{7}, 32))
	token, err := s.Sign(chat.Claims{UserID: 7, SessionID: "s", ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Parse(token, now); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	h := NewHasher()
	for b.Loop() {
		if _, err := h.Verify(b.Context(), "", "password"); err != nil {
			b.Fatal(err)
		}
	}
}
