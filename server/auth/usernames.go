package auth

import (
	"golang.org/x/text/cases"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"

	"github.com/onemeter/onemeter/server/chat"
)

// Usernames implements chat.Usernames after Unicode and RFC 8265.
type Usernames struct{}

var _ chat.Usernames = Usernames{}

// Key implements chat.Usernames: compatibility forms are one (NFKC), and so are
// upper and lower case, of every alphabet.
func (Usernames) Key(name string) string {
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// Check implements chat.Usernames by the profile UsernameCaseMapped: no
// compatibility forms other than wide letters, no mixed directions.
func (Usernames) Check(name string) error {
	if _, err := precis.UsernameCaseMapped.String(name); err != nil {
		return chat.Errorf(chat.KindInvalid, "invalid username", "use plain letters, and do not mix letters that run to the left with letters that run to the right")
	}
	return nil
}
