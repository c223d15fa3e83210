package chat

import (
	"context"
	"sync"
	"time"
)

// Numbers are those of the whole server, all its nodes together. Today is a day
// of UTC.
type Numbers struct {
	Users          int64     `json:"total_users"`
	Online         int64     `json:"online_users"`
	Chats          int64     `json:"total_chats"`
	Messages       int64     `json:"total_messages"`
	MessagesToday  int64     `json:"messages_today"`
	NewUsersToday  int64     `json:"new_users_today"`
	ActiveToday    int64     `json:"active_users_today"`
	Storage        int64     `json:"total_storage"` // bytes of files
	BannedUsers    int64     `json:"banned_users"`
	PendingReports int64     `json:"pending_reports"`
	UpdatedAt      time.Time `json:"last_update_time"`
}

// A Day is what the store counts numbers of.
type Day struct {
	Now      time.Time
	Midnight time.Time // before it
}

// numbersFor is how old numbers may be: they cost a look at whole tables.
const numbersFor = 15 * time.Second

type numbers struct {
	mu   sync.Mutex // held while they are counted: who asks meanwhile gets the same
	last Numbers
}

// Numbers counts users, chats and messages; they are up to 15 s old.
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

// PendingReports tells how many reports wait, and since when the oldest does.
func (s *Service) PendingReports(ctx context.Context) (n int64, since time.Time, err error) {
	return s.cfg.Store.PendingReports(ctx)
}
