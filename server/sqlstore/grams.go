package sqlstore

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold returns text as it is searched: without case, and with one way to write
// what Unicode has several for, such as letters of full and of half width.
// Engines fold each in their own way, so that it is done here.
func fold(text string) string {
	if !isASCII(text) && norm.NFKC.QuickSpanString(text) < len(text) {
		text = norm.NFKC.String(text)
	}
	return strings.Map(func(r rune) rune {
		if r == 'ς' {
			return 'σ'
		}
		return unicode.ToLower(r)
	}, text)
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// A gram stands for one, two or three letters that follow each other, without a
// space between them.
type gram uint64

func gramOf(a, b, c rune) gram {
	h := (uint64(a)<<42 ^ uint64(b)<<21 ^ uint64(c) + 1) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	return gram(h * 0xd6e8feb86659fd93)
}

// eachGram calls do with all grams of a folded text.
func eachGram(folded string, do func(gram)) {
	var a, b rune // before c; 0 where there is none, or a space
	for _, c := range folded {
		if unicode.IsSpace(c) {
			a, b = 0, 0
			continue
		}
		do(gramOf(0, 0, c))
		if b != 0 {
			do(gramOf(0, b, c))
		}
		if a != 0 {
			do(gramOf(a, b, c))
		}
		a, b = b, c
	}
}

// gramsOf returns grams that every text has that contains the folded word: its
// longest.
func gramsOf(word string) (grams []gram) {
	letters := []rune(word)
	switch len(letters) {
	case 0:
	case 1:
		grams = append(grams, gramOf(0, 0, letters[0]))
	case 2:
		grams = append(grams, gramOf(0, letters[0], letters[1]))
	default:
		for i := range len(letters) - 2 {
			grams = append(grams, gramOf(letters[i], letters[i+1], letters[i+2]))
		}
	}
	return grams
}

// A signature tells which grams some messages have: all that they have, and a
// few that they have not (a Bloom filter). One without bits says nothing: the
// messages have to be read.
type signature []byte

const (
	maxSignature = 16 << 10 // bytes
	minSignature = 64
	gramBits     = 3 // that each gram sets
)

// signatureOf makes the smallest signature of texts in which fewer than half the
// bits are set.
func signatureOf(texts []string) signature {
	s := make(signature, maxSignature)
	for _, text := range texts {
		eachGram(fold(text), s.add)
	}
	if s.full() {
		return signature{}
	}
	for len(s) > minSignature {
		half := len(s) / 2
		set := 0
		for i := range half {
			set += bits.OnesCount8(s[i] | s[i+half])
		}
		if set >= half*4 {
			break
		}
		for i := range half {
			s[i] |= s[i+half]
		}
		s = s[:half]
	}
	return slices.Clone(s)
}

// bit is where gram g sets its bit k. A signature of half the length has it
// there in its half.
func (s signature) bit(g gram, k int) (at int, mask byte) {
	n := uint32(g) + uint32(k)*(uint32(g>>32)|1)
	n &= uint32(len(s))*8 - 1
	return int(n / 8), 1 << (n % 8)
}

func (s signature) add(g gram) {
	for k := range gramBits {
		at, mask := s.bit(g, k)
		s[at] |= mask
	}
}

// mayHave tells whether the messages may have all of grams.
func (s signature) mayHave(grams []gram) bool {
	if len(s) < minSignature || len(s)&(len(s)-1) != 0 {
		return true
	}
	for _, g := range grams {
		for k := range gramBits {
			if at, mask := s.bit(g, k); s[at]&mask == 0 {
				return false
			}
		}
	}
	return true
}

// full tells whether half the bits are set, or more.
func (s signature) full() bool {
	n := 0
	for _, b := range s {
		n += bits.OnesCount8(b)
	}
	return n >= len(s)*4
}
