package ws

import (
	"log/slog"
	"time"
)

// Config is what a Hub is made of. A zero field takes its default.
type Config struct {
	// AllowedOrigins are the hosts ("chat.example.com") or origins
	// ("https://*.example.com") besides the server's own whose pages may
	// connect. A request without an Origin header is no browser's, and may.
	AllowedOrigins []string

	MaxFrame        int // bytes of a frame from a client; larger ones are refused; 256 KiB
	MaxConnsPerUser int // 100
	QueueFrames     int // frames that may wait for one client; 1024
	QueueBytes      int // bytes that may wait for one client, if in more than one frame; 4 MiB, and 16 times MaxFrame at least

	RequestTimeout time.Duration // a frame that the service takes longer to act upon is refused; 2.5 s

	WriteTimeout time.Duration // a client that takes not one byte for so long is cut off; 10 s
	PingInterval time.Duration // a client that is silent for so long is pinged; 30 s
	PongTimeout  time.Duration // and gone if it stays silent for so long after that; 10 s
	CloseTimeout time.Duration // how long a closing handshake may take; 2 s

	FrameRate  int // frames a second, those of message.send aside, of one connection; 50
	FrameBurst int // how many of them may come at once; 200

	Calls Calls // nil: frames of calls are of no known type
	Hooks Hooks
	Now   func() time.Time // time.Now
	Log   *slog.Logger     // discards

	skip int // bytes of a frame; maxSkip, and less in tests
}

// maxSkip is how many bytes of a frame over MaxFrame are read and thrown away
// before the connection is closed instead.
const maxSkip = 64 << 20

func (c Config) withDefaults() Config {
	defInt := func(field *int, want int) {
		if *field == 0 {
			*field = want
		}
	}
	defTime := func(field *time.Duration, want time.Duration) {
		if *field == 0 {
			*field = want
		}
	}
	defInt(&c.MaxFrame, 256<<10)
	defInt(&c.skip, maxSkip)
	defInt(&c.MaxConnsPerUser, 100)
	defInt(&c.QueueFrames, 1024)
	// A client that reads at its own speed must have room for a page of sync, of
	// which one message may be as large as a frame, and for what comes behind it.
	defInt(&c.QueueBytes, max(4*maxSync, 16*c.MaxFrame))
	defInt(&c.FrameRate, 50)
	defInt(&c.FrameBurst, 200)
	defTime(&c.RequestTimeout, 2500*time.Millisecond)
	defTime(&c.WriteTimeout, 10*time.Second)
	defTime(&c.PingInterval, 30*time.Second)
	defTime(&c.PongTimeout, 10*time.Second)
	defTime(&c.CloseTimeout, 2*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
