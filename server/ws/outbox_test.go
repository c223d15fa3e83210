package ws

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// The outbox is compared with a model: a queue of bytes.
func TestOutboxIsAQueueOfBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const maxFrames, maxBytes = 20, 300
		o := &outbox{maxFrames: maxFrames, maxBytes: maxBytes}
		scratch := make([]byte, 100)
		var queued [][]byte
		var want, have []byte
		var next byte
		working := false
		waiting := func() (n int) {
			for _, f := range queued {
				n += len(f)
			}
			return n
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				next++
				f := &frame{wire: bytes.Repeat([]byte{next}, rapid.IntRange(1, 150).Draw(t, "length"))}
				full := len(queued) >= maxFrames || len(queued) > 0 && waiting()+len(f.wire) > maxBytes
				switch v := o.put(f); {
				case full != (v == putFull):
					t.Fatalf("put says %d; %d frames, %d bytes", v, len(queued), waiting())
				case !full:
					if working == (v == putStart) {
						t.Fatalf("put says %d while working is %v", v, working)
					}
					working = true
					queued = append(queued, f.wire)
					want = append(want, f.wire...)
				}
			},
			"write": func(t *rapid.T) {
				if !working {
					return
				}
				buf, lost, hangup := o.gather(scratch)
				if len(lost) > 0 || hangup {
					t.Fatal("lost frames of an open outbox")
				}
				if len(buf) == 0 {
					working = false
					return
				}
				n := rapid.IntRange(0, len(buf)).Draw(t, "written")
				have = append(have, buf[:n]...)
				for range o.advance(n, nil) {
					queued = queued[1:]
				}
			},
			"": func(t *rapid.T) {
				if !bytes.HasPrefix(want, have) {
					t.Fatal("wrote what was not queued")
				}
				if !working && len(have) != len(want) {
					t.Fatal("idle with unwritten bytes")
				}
				if wait, open := o.room(); open != true || (wait == nil) != (len(queued) <= maxFrames/2 && waiting() <= maxBytes/2) {
					t.Fatalf("room: %v, %v with %d frames, %d bytes", wait, open, len(queued), waiting())
				}
			},
		})
	})
}

func TestOutboxCloses(t *testing.T) {
	text := func(s string) *frame { return &frame{wire: []byte(s)} }
	o := &outbox{maxFrames: 10, maxBytes: 100}
	for _, s := range []string{"aaaa", "bbbb", "cccc"} {
		o.put(text(s))
	}
	buf, _, _ := o.gather(make([]byte, 8)) // the first two are with the writer
	if string(buf) != "aaaabbbb" {
		t.Fatalf("gathered %s", buf)
	}
	lost, v, ok := o.close(text("bye"), true)
	if len(lost) != 1 || string(lost[0].wire) != "cccc" || v != putQueued || !ok {
		t.Errorf("close: %v %v %v", lost, v, ok)
	}
	if _, _, ok := o.close(text("again"), true); ok || o.put(text("late")) != putClosed || o.hangUp() {
		t.Error("not closed, or hung up too early")
	}
	if done := o.advance(2, nil); len(done) != 0 {
		t.Error("half a frame is done")
	}
	if buf, _, _ = o.gather(make([]byte, 100)); string(buf) != "aabbbbbye" {
		t.Errorf("gathered %s", buf)
	}
	if done := o.advance(len(buf), nil); len(done) != 3 {
		t.Errorf("%d done", len(done))
	}
	if buf, lost, hangup := o.gather(nil); len(buf)+len(lost) > 0 || !hangup {
		t.Errorf("at the end: %q %v %v", buf, lost, hangup)
	}
}

func TestKilledOutboxReturnsItsFrames(t *testing.T) {
	o := &outbox{maxFrames: 10, maxBytes: 100}
	o.put(&frame{wire: []byte("a")})
	o.put(&frame{wire: []byte("b")})
	if lost := o.kill(); lost != nil {
		t.Error("frames taken from under the writer")
	}
	wait := o.quiet()
	if _, lost, _ := o.gather(nil); len(lost) != 2 {
		t.Errorf("%d lost", len(lost))
	}
	<-wait
	idle := &outbox{maxFrames: 10, maxBytes: 100}
	if lost := idle.kill(); len(lost) != 0 || idle.quiet() != nil || idle.put(&frame{}) != putClosed {
		t.Error("an idle outbox")
	}
}

func TestBucket(t *testing.T) {
	b := newBucket(10, 3, 0) // a token each 100 ms
	const ms = 1e6
	for i, tc := range []struct {
		at int64
		ok bool
	}{{0, true}, {0, true}, {0, true}, {0, false}, {99 * ms, false}, {100 * ms, true}, {100 * ms, false}, {1000 * ms, true}, {1000 * ms, true}, {1000 * ms, true}, {1000 * ms, false}} {
		if b.take(tc.at) != tc.ok {
			t.Errorf("take %d: %v", i, !tc.ok)
		}
	}
}
