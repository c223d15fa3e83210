package ws

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Fragments and control frames are limited as well, since they cost as much to read as frames.
func TestAFloodOfPiecesClosesTheConnection(t *testing.T) {
	closed := make(chan Reason, 8)
	w := newWorld(t, Config{Hooks: Hooks{Closed: func(_ context.Context, d Closed) { closed <- d.Reason }}})
	ann := w.user("ann")
	for name, flood := range map[string]struct{ first, next []byte }{
		"empty continuations": {rawFrame(0x01, true, nil), rawFrame(0x00, true, nil)},
		"bytes":               {rawFrame(0x01, true, nil), rawFrame(0x00, true, []byte(" "))},
		"pings":               {nil, rawFrame(0x89, true, nil)},
		"pongs":               {nil, rawFrame(0x8a, true, []byte("x"))},
		"pongs in a message":  {rawFrame(0x01, true, []byte("{")), rawFrame(0x8a, true, nil)},
	} {
		nc := w.handshake(ann)
		go func() {
			_, err := nc.Write(flood.first)
			for chunk := bytes.Repeat(flood.next, 1000); err == nil; {
				_, err = nc.Write(chunk)
			}
		}()
		if !bytes.Contains(readUntil(t, nc, []byte("too many frames")), []byte{0x03, 0xf0}) { // 1008
			t.Errorf("%s: no close frame", name)
		}
		_ = nc.Close()
		if why := <-closed; why != ReasonFlood {
			t.Errorf("%s: closed for %s", name, why)
		}
	}
}

func TestAMessageInManyFragmentsIsRead(t *testing.T) {
	w := newWorld(t, Config{})
	nc := w.handshake(w.user("ann"))
	w.frame(nc) // connect
	message := []byte(`{"type":"ping","payload":"` + strings.Repeat("x", 200<<10) + `"}`)
	sent := rawFrame(0x01, true, nil)
	for len(message) > 0 {
		n := min(len(message), 100) // 2048 fragments
		sent = append(sent, rawFrame(0x00, true, message[:n])...)
		message = message[n:]
		if len(message)%500 == 0 {
			sent = append(sent, rawFrame(0x8a, true, nil)...)
		}
	}
	if _, err := nc.Write(append(sent, rawFrame(0x80, true, nil)...)); err != nil {
		t.Fatal(err)
	}
	if answer := w.frame(nc); !bytes.Contains(answer, []byte(`"pong"`)) {
		t.Errorf("answered %s", answer)
	}
}

// The scanner finds the same headers however the bytes are split.
func TestPiecesAreFoundAcrossReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sent []byte
		want := 0
		for range rapid.IntRange(0, 10).Draw(t, "frames") {
			first := rapid.SampledFrom([]byte{0x00, 0x01, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a}).Draw(t, "first")
			length := rapid.SampledFrom([]int{0, 1, 125, 126, 200, 1<<16 - 1, 1 << 16, 70_000}).Draw(t, "length")
			sent = appendHeader(sent, first, length)
			sent[len(sent)-headerTail(length)] |= 0x80
			sent = append(sent, make([]byte, 4+length)...)
			if first&0x80 == 0 || first >= 0x88 {
				want++
			}
		}
		var s scanner
		got := 0
		for len(sent) > 0 {
			n := min(len(sent), rapid.IntRange(1, 1<<17).Draw(t, "read"))
			got += s.pieces(sent[:n])
			sent = sent[n:]
		}
		if got != want {
			t.Fatalf("%d pieces, want %d", got, want)
		}
	})
}

// headerTail returns the distance in bytes from the length in a header to the header's end.
func headerTail(length int) int {
	switch {
	case length < 126:
		return 1
	case length < 1<<16:
		return 3
	}
	return 9
}
