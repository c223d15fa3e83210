package auth

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/onemeter/onemeter/server/chat"
)

// Usernames implements chat.Usernames by the rules of Unicode and RFC 8265.
type Usernames struct{}

var _ chat.Usernames = Usernames{}

// Key implements chat.Usernames. Names that differ only in compatibility forms (NFKC) or in case have the same key.
func (Usernames) Key(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// Check implements chat.Usernames with the profile UsernameCaseMapped. It allows no compatibility forms except wide
// letters, and no mixture of writing directions.
func (Usernames) Check(name string) error {
	if _, err := precis.UsernameCaseMapped.String(name); err != nil {
		return chat.Errorf(chat.KindInvalid, "invalid username",
			"use plain letters, and do not mix scripts that are written from right to left with others")
	}
	return nil
}
