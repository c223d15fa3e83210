package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/observe"
)

// LogHandler returns a handler that writes to h. It adds the attributes trace_id and span_id to records that are logged
// with a context that has a span. While a part of the server does not answer, it sums up the warnings that every client,
// every check of /readyz and every second would make: of those with one message about one part it writes the first, and
// then the last of each 10 s, with the number of times. FlushLog writes what is left.
func LogHandler(h slog.Handler) slog.Handler {
	return summing{observe.LogHandler(h), &sums{of: make(map[string]*sum)}}
}

// sumEvery is how often a warning is written that recurs.
const sumEvery = 10 * time.Second

// A summing handler sums up warnings that recur. Otherwise each of ten thousand clients that reconnect would make
// several lines.
type summing struct {
	slog.Handler
	sums *sums
}

// sums are the warnings that were written less than sumEvery ago, by their messages, which are constants, and parts. Of a
// logger's With, attributes do not count.
type sums struct {
	mu sync.Mutex
	of map[string]*sum
}

// A sum is what came since the last line.
type sum struct {
	times int
	write func(times int) // writes the last one
}

func (h summing) Handle(ctx context.Context, r slog.Record) error {
	key := recurs(r)
	if key == "" {
		return h.Handler.Handle(ctx, r)
	}
	h.sums.mu.Lock()
	defer h.sums.mu.Unlock()
	if s := h.sums.of[key]; s != nil {
		s.times++
		s.write = func(times int) {
			r := r.Clone()
			r.AddAttrs(slog.Int("times", times), slog.String("within", sumEvery.String()))
			_ = h.Handler.Handle(context.WithoutCancel(ctx), r)
		}
		return nil
	}
	h.sums.of[key] = &sum{}
	time.AfterFunc(sumEvery, func() { h.sums.tell(key) })
	return h.Handler.Handle(ctx, r)
}

// FlushLog writes the warnings that a handler of LogHandler has not written yet. A program calls it before it ends.
func FlushLog(log *slog.Logger) {
	h, ok := log.Handler().(summing)
	if !ok {
		return
	}
	h.sums.mu.Lock()
	defer h.sums.mu.Unlock()
	for _, s := range h.sums.of {
		if s.times > 0 {
			s.write(s.times)
			*s = sum{}
		}
	}
}

// tell writes what came since the last line, and goes on until nothing comes.
func (s *sums) tell(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.of[key]
	if now.times == 0 {
		delete(s.of, key)
		return
	}
	now.write(now.times)
	*now = sum{}
	time.AfterFunc(sumEvery, func() { s.tell(key) })
}

// recurs returns the key of a warning that is summed up, or "": one about a part that is not ready, or one about a client
// (it has a user, a number of users or a route) or a repeated task (it has every) whose err is that a part does not answer.
func recurs(r slog.Record) (key string) {
	if r.Level != slog.LevelWarn {
		return ""
	}
	often, unavailable := false, false
	key = r.Message
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "user", "users", "route", "every":
			often = true
		case "part":
			often, unavailable, key = true, true, key+" "+a.Value.String()
		case "err":
			err, _ := a.Value.Any().(error)
			unavailable = unavailable || chat.KindOf(err) == chat.KindUnavailable
			if e, ok := errors.AsType[*chat.Error](err); ok {
				key += " " + e.What // the part, and what is wrong with it
			}
		}
		return true
	})
	if !often || !unavailable {
		return ""
	}
	return key
}

func (h summing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return summing{h.Handler.WithAttrs(attrs), h.sums}
}

func (h summing) WithGroup(name string) slog.Handler {
	return summing{h.Handler.WithGroup(name), h.sums}
}
