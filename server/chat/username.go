package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lowerCase is the Usernames of a Service that was given none.
type lowerCase struct{}

func (lowerCase) Key(name string) string { return strings.ToLower(name) }
func (lowerCase) Check(string) error     { return nil }

func (s *Service) checkUsername(name string) error {
	if name == "" {
		return nil
	}
	if err := checkUsername(name); err != nil {
		return err
	}
	return s.cfg.Usernames.Check(name)
}

func badUsername(format string, args ...any) error {
	return Errorf(KindInvalid, "invalid username", format, args...)
}

// checkUsername wants letters with their marks, digits and ._- (so nothing
// invisible), not digits alone, so that a name is never mistaken for a phone,
// and no letters that pass for those of another alphabet.
func checkUsername(name string) error {
	if name == "" {
		return nil
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return badUsername("a username has at most %d bytes of UTF-8", maxName)
	}
	onlyDigits, letter := true, false // letter: the last was one, or belongs to one
	for _, c := range name {
		switch {
		case unicode.IsLetter(c):
			onlyDigits, letter = false, true
		case unicode.IsMark(c):
			if !letter {
				return badUsername("a mark stands after a letter")
			}
		case c == '_':
			onlyDigits, letter = false, false
		case unicode.IsDigit(c), c == '.', c == '-':
			letter = false
		default:
			return badUsername("a username is made of letters, digits, dot, dash and underscore")
		}
	}
	if onlyDigits {
		return badUsername("a username has at least one letter or underscore")
	}
	return checkScripts(name)
}

// eastAsian are written together.
var eastAsian = []string{"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// besideLatin are the scripts that may stand beside Latin letters, since none of
// theirs looks like one: see Unicode Technical Standard 39, section 5.2. Greek,
// Cyrillic and others do not.
var besideLatin = append([]string{
	"Bengali", "Devanagari", "Ethiopic", "Gujarati", "Gurmukhi", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala",
	"Tamil", "Telugu", "Thai", "Tibetan",
}, eastAsian...)

// checkScripts refuses letters of scripts that are not written together: a
// Cyrillic а in a Latin name passes for another account's.
func checkScripts(name string) error {
	scripts := scriptsOf(name)
	others := slices.DeleteFunc(slices.Clone(scripts), func(s string) bool { return s == "Latin" })
	switch {
	case len(scripts) <= 1:
		return nil
	case within(others, eastAsian), len(others) == 1 && within(others, besideLatin):
		return nil
	}
	return badUsername("%s letters do not go together in one name", strings.Join(scripts, " and "))
}

func within(list, set []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(set, s) })
}

// scriptsOf names the scripts that the letters and marks of a name are of, in
// alphabetical order.
func scriptsOf(name string) (scripts []string) {
	for _, c := range name {
		for script, table := range unicode.Scripts {
			if unicode.Is(table, c) && script != "Common" && script != "Inherited" && !slices.Contains(scripts, script) {
				scripts = append(scripts, script)
			}
		}
	}
	slices.Sort(scripts)
	return scripts
}
