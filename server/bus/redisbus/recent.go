package redisbus

import "time"

// recent caches answers of Redis, in two generations.
type recent struct {
	current, previous map[int64]sighting
	turned            time.Time
	from              time.Time // answers asked for before this time are ignored
}

type sighting struct {
	online, known bool
	at            time.Time // when Redis was asked
}

const (
	recentFor  = time.Second // at least, and at most twice as long
	recentMost = 50_000      // users per generation
)

func (r *recent) turn(now time.Time) {
	switch age := now.Sub(r.turned); {
	case age >= 2*recentFor:
		r.current, r.previous, r.turned = nil, nil, now
	case age >= recentFor || len(r.current) >= recentMost:
		r.current, r.previous, r.turned = nil, r.current, now
	}
	if r.current == nil {
		r.current = make(map[int64]sighting)
	}
}

func (r *recent) get(id int64, now time.Time) (online, ok bool) {
	r.turn(now)
	s, ok := r.current[id]
	if !ok {
		s = r.previous[id]
	}
	return s.online, s.known
}

// put stores an answer, unless something changed after Redis was asked.
func (r *recent) put(id int64, online bool, asked time.Time) {
	r.turn(time.Now())
	if asked.Before(r.from) || r.current[id].at.After(asked) || r.previous[id].at.After(asked) {
		return
	}
	r.current[id] = sighting{online, true, asked}
}

// forget makes the next get of this user miss.
func (r *recent) forget(id int64, now time.Time) {
	r.turn(now)
	r.current[id] = sighting{at: now}
}

// forgetAll makes every get miss.
func (r *recent) forgetAll(now time.Time) {
	r.current, r.previous, r.turned, r.from = nil, nil, now, now
}
