package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lowerCase is the default for Config.Usernames.
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

// checkUsername returns an error unless name consists of letters with their marks, digits
// and ._-, so that no character is invisible. Digits alone are not allowed, because such a
// name looks like a phone number, nor are letters that look like those of another alphabet.
func checkUsername(name string) error {
	if name == "" {
		return nil
	}
	if len(name) > maxName || !utf8.ValidString(name) {
		return badUsername("a username must be UTF-8 of at most %d bytes", maxName)
	}
	onlyDigits, letter := true, false // letter: the last character was a letter or a mark of one
	for _, c := range name {
		switch {
		case unicode.IsLetter(c):
			onlyDigits, letter = false, true
		case unicode.IsMark(c):
			if !letter {
				return badUsername("a combining mark must follow a letter")
			}
		case c == '_':
			onlyDigits, letter = false, false
		case unicode.IsDigit(c), c == '.', c == '-':
			letter = false
		default:
			return badUsername("a username can have only letters, digits, dots, dashes and underscores")
		}
	}
	if onlyDigits {
		return badUsername("a username must have at least one letter or underscore")
	}
	return checkScripts(name)
}

// eastAsian are scripts that may be mixed with each other and with Latin.
var eastAsian = []string{"Han", "Hiragana", "Katakana", "Hangul", "Bopomofo"}

// besideLatin are scripts that may be mixed with Latin, because their letters do not look
// like Latin ones: see Unicode Technical Standard 39, section 5.2. Greek and Cyrillic, for
// example, may not.
var besideLatin = append([]string{
	"Bengali", "Devanagari", "Ethiopic", "Gujarati", "Gurmukhi", "Kannada", "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala",
	"Tamil", "Telugu", "Thai", "Tibetan",
}, eastAsian...)

// checkScripts returns an error if name mixes scripts that may not be mixed. With a Cyrillic
// а, for example, a name can look like another account's.
func checkScripts(name string) error {
	scripts := scriptsOf(name)
	others := slices.DeleteFunc(slices.Clone(scripts), func(s string) bool { return s == "Latin" })
	switch {
	case len(scripts) <= 1:
		return nil
	case within(others, eastAsian), len(others) == 1 && within(others, besideLatin):
		return nil
	}
	return badUsername("a username cannot mix %s letters: use those of one script", strings.Join(scripts, " and "))
}

func within(list, set []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(set, s) })
}

// scriptsOf returns the names of the scripts of a name's letters and marks, sorted.
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
