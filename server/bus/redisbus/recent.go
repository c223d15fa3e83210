package redisbus

import "time"

// recent is what Redis said lately.
type recent struct {
	now, before map[int64]sighting
	turned      time.Time
	from        time.Time // what was asked before does not count
}

type sighting struct {
	online, known bool
	at            time.Time // when Redis was asked
}

const (
	recentFor  = time.Second // at least, and at most twice that
	recentMost = 50_000      // users, and at most twice that
)

func (r *recent) turn(now time.Time) {
	switch age := now.Sub(r.turned); {
	case age >= 2*recentFor:
		r.now, r.before, r.turned = nil, nil, now
	case age >= recentFor || len(r.now) >= recentMost:
		r.now, r.before, r.turned = nil, r.now, now
	}
	if r.now == nil {
		r.now = make(map[int64]sighting)
	}
}

func (r *recent) get(id int64, now time.Time) (online, ok bool) {
	r.turn(now)
	s, ok := r.now[id]
	if !ok {
		s = r.before[id]
	}
	return s.online, s.known
}

// put keeps an answer, unless something happened since it was asked for.
func (r *recent) put(id int64, online bool, asked time.Time) {
	r.turn(time.Now())
	if asked.Before(r.from) || r.now[id].at.After(asked) || r.before[id].at.After(asked) {
		return
	}
	r.now[id] = sighting{online, true, asked}
}

// forget has the next who asks ask Redis.
func (r *recent) forget(id int64, now time.Time) {
	r.turn(now)
	r.now[id] = sighting{at: now}
}

// forgetAll has it ask about everybody.
func (r *recent) forgetAll(now time.Time) {
	r.now, r.before, r.turned, r.from = nil, nil, now, now
}
