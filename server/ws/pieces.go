package ws

import (
	"encoding/binary"
	"errors"
)

// errFlood is the read error that the library gets after a client has sent too many pieces.
var errFlood = errors.New("ws: too many fragments or control frames")

// piecesAFrame is how many pieces are allowed for each frame that is. A client may send its largest frame in fragments
// of some kilobytes.
const piecesAFrame = 20

// A scanner counts pieces in the bytes from a client: control frames, and fragments except the last of a message. The
// library handles them without telling us, so a limit on messages alone would not limit them.
type scanner struct {
	head [10]byte // the received part of a header, without the mask
	n    int      // bytes in head
	skip uint64   // bytes up to the next header
}

// pieces returns how many pieces begin in p, which continues the bytes of the last call.
func (s *scanner) pieces(p []byte) (count int) {
	for len(p) > 0 {
		if s.skip > 0 {
			n := min(s.skip, uint64(len(p)))
			s.skip -= n
			p = p[n:]
			continue
		}
		s.head[s.n] = p[0]
		s.n++
		p = p[1:]
		if !s.complete() {
			continue
		}
		s.n = 0
		const fin, control = 0x80, 0x08
		if s.head[0]&fin == 0 || s.head[0]&control != 0 {
			count++
		}
	}
	return count
}

// complete returns whether head has the whole header; if so, it sets skip.
func (s *scanner) complete() bool {
	if s.n < 2 {
		return false
	}
	length, extra := uint64(s.head[1]&0x7f), 0
	switch length {
	case 126:
		extra = 2
	case 127:
		extra = 8
	}
	if s.n < 2+extra {
		return false
	}
	switch extra {
	case 2:
		length = uint64(binary.BigEndian.Uint16(s.head[2:]))
	case 8:
		length = binary.BigEndian.Uint64(s.head[2:])
	}
	s.skip = length + uint64(s.head[1]>>7)*4 // the mask
	return true
}
