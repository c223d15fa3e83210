package chat

import (
	"context"
	"sync"
	"time"
)

// Numbers are counts of the whole server, not of one node. Today begins at midnight UTC.
type Numbers struct {
	Users          int64     `json:"total_users"`
	Online         int64     `json:"online_users"`
	Chats          int64     `json:"total_chats"`
	Messages       int64     `json:"total_messages"`
	MessagesToday  int64     `json:"messages_today"`
	NewUsersToday  int64     `json:"new_users_today"`
	ActiveToday    int64     `json:"active_users_today"`
	Storage        int64     `json:"total_storage"` // bytes of stored files
	BannedUsers    int64     `json:"banned_users"`
	PendingReports int64     `json:"pending_reports"`
	UpdatedAt      time.Time `json:"last_update_time"`
}

// A Day is the day for which the store counts.
type Day struct {
	Now      time.Time
	Midnight time.Time // the last one before Now
}

// numbersFor is how long numbers are cached, because counting reads whole tables.
const numbersFor = 15 * time.Second

type numbers struct {
	mu   sync.Mutex // held while counting, so that concurrent callers share the result
	last Numbers
}

// Numbers returns the counts of the server. They may be up to 15 s old.
func (s *Service) Numbers(ctx context.Context) (Numbers, error) {
	s.numbers.mu.Lock()
	defer s.numbers.mu.Unlock()
	now := s.cfg.Now().UTC()
	if age := now.Sub(s.numbers.last.UpdatedAt); age >= 0 && age < numbersFor {
		return s.numbers.last, nil
	}
	online, err := s.cfg.Presence.Everyone(ctx)
	if err != nil {
		return Numbers{}, err
	}
	n, err := s.cfg.Store.Numbers(ctx, Day{Now: now, Midnight: now.Truncate(24 * time.Hour)})
	if err != nil {
		return Numbers{}, err
	}
	n.Online, n.UpdatedAt = int64(len(online)), now
	n.ActiveToday = max(n.ActiveToday, n.Online)
	s.numbers.last = n
	return n, nil
}

// A Waiting is a queue: the number of things in it, and the time of the oldest.
type Waiting struct {
	N     int64
	Since time.Time // zero if the queue is empty
}

// Age returns how long the oldest has waited; 0 if the queue is empty.
func (w Waiting) Age(now time.Time) time.Duration {
	if w.N == 0 {
		return 0
	}
	return max(now.Sub(w.Since), 0)
}

// A Backlog is the work that waits on the whole server, on all nodes together.
type Backlog struct {
	Reports   Waiting // pending reports
	Deletions Waiting // deleted accounts whose data is not all deleted yet
	Unindexed Waiting // about how many messages are not in the search index; a new one waits for 30 s to 90 s
	FileBytes int64   // size of all files, which counts towards Quota.Total
}

// Backlog returns the work that waits.
func (s *Service) Backlog(ctx context.Context) (Backlog, error) { return s.cfg.Store.Backlog(ctx) }
