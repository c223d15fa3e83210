package sqlstore

import (
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold returns text in the form that searches compare: in lower case, and normalized,
// so that letters of full and half width are the same. It is not done in SQL, because
// engines differ.
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

// A gram stands for a run of one, two or three letters without a space.
type gram uint64

func gramOf(a, b, c rune) gram {
	h := (uint64(a)<<42 ^ uint64(b)<<21 ^ uint64(c) + 1) * 0x9e3779b97f4a7c15
	h ^= h >> 32
	return gram(h * 0xd6e8feb86659fd93)
}

// eachGram calls do with every gram of a folded text.
func eachGram(folded string, do func(gram)) {
	var a, b rune // the two before c; 0 for a space or none
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

// gramsOf returns the longest grams of a folded word. Every text that contains the
// word has them.
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

// A signature is a Bloom filter of the grams of some messages. It never misses a
// gram, but may report one that they do not have. If it is empty, nothing is known,
// and a search must read the messages.
type signature []byte

const (
	maxSignature = 16 << 10 // bytes
	minSignature = 64
	gramBits     = 3 // bits that each gram sets
)

// signatureOf returns the smallest signature of texts in which fewer than half of the
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

// bit returns the position of bit k of gram g.
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

// mayHave reports whether the messages may have all of grams.
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

// full reports whether at least half of the bits are set.
func (s signature) full() bool {
	n := 0
	for _, b := range s {
		n += bits.OnesCount8(b)
	}
	return n >= len(s)*4
}
