package server

import "time"

// quiet is how long the start may take without a word.
const quiet = time.Second

// awaited opens a part, and says what the start waits for where that is long:
// who starts the server sees a name instead of nothing.
func (s *Server) awaited(part, url string, open func() error) error {
	say := time.AfterFunc(quiet, func() { s.log.Info("waiting", "for", part, "at", redact(url)) })
	defer say.Stop()
	return open()
}
