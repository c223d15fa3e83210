package server

import (
	"context"
	"time"

	"github.com/onemeter/onemeter/server/chat"
)

const (
	// quiet is how long the start may take without a log line.
	quiet = time.Second
	// startPatience is how long the start waits for a part that does not answer: after
	// a power cut, the database may come up after the node.
	startPatience = 30 * time.Second
	startPause    = 250 * time.Millisecond
)

// awaited opens a part. It tries again while the part does not answer, and logs what
// the start waits for if that is long. Any other error of open ends it at once. open
// leaves nothing behind when it fails.
func (s *Server) awaited(ctx context.Context, part, url string, open func() error) error {
	say := time.AfterFunc(quiet, func() {
		s.log.Info("waiting", "for", part, "at", redact(url), "at_most", startPatience.String())
	})
	defer say.Stop()
	for end := time.Now().Add(startPatience); ; {
		err := open()
		if chat.KindOf(err) != chat.KindUnavailable || time.Now().After(end) {
			return err
		}
		select {
		case <-time.After(startPause):
		case <-ctx.Done():
			return err
		}
	}
}
