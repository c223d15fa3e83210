package ws

import (
	"log/slog"
	"time"
)

// Config configures a Hub. A zero field takes its default, which the comments name.
type Config struct {
	// AllowedOrigins are the hosts ("chat.example.com") or origins ("https://*.example.com") whose pages may connect,
	// besides the server's own. A request without an Origin header does not come from a browser, and may connect.
	AllowedOrigins []string

	MaxFrame        int // bytes of a frame from a client; larger ones are refused; 256 KiB
	MaxConnsPerUser int // 100
	QueueFrames     int // frames that may wait for one client; 1024
	QueueBytes      int // bytes of two or more frames that may wait for one client; 4 MiB, and at least 16 times MaxFrame

	RequestTimeout time.Duration // within which the service must handle a frame, or it is refused; 2.5 s

	WriteTimeout time.Duration // a client that accepts no byte for this long is cut off; 10 s
	PingInterval time.Duration // a client that is silent for this long is pinged; 30 s
	PongTimeout  time.Duration // and cut off if it stays silent for this long after the ping; 10 s
	CloseTimeout time.Duration // of the closing handshake; 2 s
	SessionCheck time.Duration // how often the store is asked which sessions of the connections have ended; 2 min

	FrameRate  int // frames a second of one connection, message.send apart; 50
	FrameBurst int // of those, how many may come at once; 200

	Calls Calls // nil: frames of calls have an unknown type
	Hooks Hooks
	Now   func() time.Time // time.Now
	Log   *slog.Logger     // discards

	skip int // the largest frame in bytes that is discarded rather than closing the connection; maxSkip, smaller in tests
}

// maxSkip is the largest frame, in bytes, that is read and discarded if it exceeds MaxFrame. A larger one closes the
// connection.
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
	// A client that reads slowly needs room for a page of sync, in which one message may be as large as a frame, and for
	// the frames behind it.
	defInt(&c.QueueBytes, max(4*maxSync, 16*c.MaxFrame))
	defInt(&c.FrameRate, 50)
	defInt(&c.FrameBurst, 200)
	defTime(&c.RequestTimeout, 2500*time.Millisecond)
	defTime(&c.WriteTimeout, 10*time.Second)
	defTime(&c.PingInterval, 30*time.Second)
	defTime(&c.PongTimeout, 10*time.Second)
	defTime(&c.CloseTimeout, 2*time.Second)
	defTime(&c.SessionCheck, 2*time.Minute)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
