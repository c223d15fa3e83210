package auth_test

import (
	"testing"

	"github.com/onemeter/onemeter/server/auth"
)

func TestUsernameKeys(t *testing.T) {
	for key, names := range map[string][]string{
		"ünal":    {"ünal", "Ünal", "ÜNAL", "u\u0308nal", "U\u0308NAL"},
		"alice":   {"alice", "ALICE", "ａｌｉｃｅ", "Ａlice"},
		"strasse": {"strasse", "straße", "STRASSE", "STRAẞE"},
		"οδοσ":    {"οδος", "ΟΔΟΣ", "οδοσ"},
		"office":  {"ofﬁce", "OFFICE"},
		"राहुल":   {"राहुल"},
		"аdmin":   {"аdmin"}, // the а is Cyrillic: another name
	} {
		for _, name := range names {
			if got := (auth.Usernames{}).Key(name); got != key {
				t.Errorf("the key of %q is %q, want %q", name, got, key)
			}
		}
	}
}

func TestUsernameProfile(t *testing.T) {
	for name, ok := range map[string]bool{
		"alice": true, "a.b-c_1": true, "Ünal": true, "राहुल": true, "สมชาย": true, "தமிழ்": true, "مُحَمَّد": true, "李雷": true, "ａlice": true,
		"ofﬁce": false, "①": false, "aא": false,
	} {
		if err := (auth.Usernames{}).Check(name); (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func FuzzUsernameKey(f *testing.F) {
	f.Add("Ünal")
	f.Add("\u0345\u0308a")
	f.Fuzz(func(t *testing.T, name string) {
		key := auth.Usernames{}.Key(name)
		if again := (auth.Usernames{}).Key(key); again != key {
			t.Errorf("the key of %q is %q, whose key is %q", name, key, again)
		}
	})
}
