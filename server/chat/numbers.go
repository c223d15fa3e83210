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

// PendingReports returns the number of pending reports, and the time of the oldest.
func (s *Service) PendingReports(ctx context.Context) (n int64, since time.Time, err error) {
	return s.cfg.Store.PendingReports(ctx)
}
