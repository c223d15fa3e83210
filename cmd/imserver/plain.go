package main

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// plain escapes control and direction characters and line breaks, because users wrote some of the text: a terminal would
// obey them, and a line break would make a line that nobody else can tell from a true one.
func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainError returns the text of an error. Only the errors that were joined are on lines of their own.
func plainError(err error) string {
	text := err.Error()
	switch e := err.(type) { //nolint:errorlint // walks the tree itself
	case interface{ Unwrap() []error }:
		var raw, lines []string
		for _, each := range e.Unwrap() {
			raw = append(raw, each.Error())
			if line := plainError(each); line != "" {
				lines = append(lines, line)
			}
		}
		if strings.Join(raw, "\n") == text {
			return strings.Join(lines, "\n")
		}
	case interface{ Unwrap() error }:
		if inner := errors.Unwrap(err); inner != nil {
			if before, ok := strings.CutSuffix(text, inner.Error()); ok {
				return plain(before) + plainError(inner)
			}
		}
	}
	return plain(text)
}
