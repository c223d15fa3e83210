package chat

import (
	"context"
	"encoding/json"
	"slices"
	"time"
)

// A NoticeKind is why the staff tells users something.
type NoticeKind string

// The kinds of notice.
const (
	NoticeBroadcast NoticeKind = "broadcast" // to everybody
	NoticeWarning   NoticeKind = "warning"   // to one who was reported
)

// EventNotice brings a [Notice] to users.
const EventNotice EventType = "notice"

// A Notice is what the staff tells a user. Clients show each id once.
type Notice struct {
	ID        int64      `json:"id"`
	UserID    int64      `json:"-"` // 0: everybody
	Kind      NoticeKind `json:"kind"`
	Message   string     `json:"message"`
	CreatedAt time.Time  `json:"created_at"`
}

const (
	notBroadcast  = "nothing broadcast"
	maxNotice     = 4 << 10             // bytes
	noticesFor    = 30 * 24 * time.Hour // that a notice waits for its user
	noticesAtOnce = 20                  // that one connection begins with
)

// Broadcast tells everybody something: those who are online at once, the others
// when they connect within 30 days. Who registers later is not told.
func (s *Service) Broadcast(ctx context.Context, by Staff, message string) (Notice, error) {
	if message == "" {
		return Notice{}, Errorf(KindInvalid, notBroadcast, "message is empty")
	}
	if err := checkText("message", message, maxNotice); err != nil {
		return Notice{}, err
	}
	if err := s.acted(ctx, by, ActBroadcast, AuditEntry{Module: ModuleSystem, Message: "broadcast: " + message}); err != nil {
		return Notice{}, err
	}
	n, err := s.cfg.Store.AddNotice(ctx, Notice{Kind: NoticeBroadcast, Message: message, CreatedAt: s.cfg.Now()})
	if err != nil {
		return Notice{}, err
	}
	s.tellNotice(ctx, n)
	return n, nil
}

// tellNotice hands a notice that is stored to whoever is online.
func (s *Service) tellNotice(ctx context.Context, n Notice) {
	s.cfg.Hooks.noticeSent(ctx, n.Kind)
	e := Event{Type: EventNotice, At: s.cfg.Now(), Payload: n}
	if e.Everyone = n.UserID == 0; !e.Everyone {
		e.To = []int64{n.UserID}
	}
	s.publish(ctx, e)
}

// Notices returns what the caller was not told yet, the oldest first, and notes
// that he is told now.
func (s *Service) Notices(ctx context.Context, c Caller) ([]Notice, error) {
	notices, err := s.cfg.Store.Notices(ctx, c.UserID, s.cfg.Now().Add(-noticesFor), noticesAtOnce)
	if err != nil || len(notices) == 0 {
		return nil, err
	}
	slices.Reverse(notices)
	return notices, s.cfg.Store.MarkNotices(ctx, []int64{c.UserID}, notices[len(notices)-1].ID)
}

// NoticeTold notes that users of this node were told of an event of type
// EventNotice, so that they are not told again.
func (s *Service) NoticeTold(e Event, userIDs []int64) {
	n, ok := noticeOf(e)
	if !ok || len(userIDs) == 0 {
		return
	}
	if err := s.told.put(s.background, told{n.ID, userIDs}); err != nil {
		s.notNoted(n.ID, userIDs, err)
	}
}

// A told is a notice, and whom of it.
type told struct {
	notice int64
	users  []int64
}

func (s *Service) storeTold(batch []told) {
	for _, t := range batch {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.CommitWithin)
		if err := s.cfg.Store.MarkNotices(ctx, t.users, t.notice); err != nil {
			s.notNoted(t.notice, t.users, err)
		}
		cancel()
	}
}

func (s *Service) notNoted(notice int64, users []int64, err error) {
	s.cfg.Log.Warn("users will be told of a notice twice", "notice", notice, "users", len(users), "err", err)
}

// noticeOf reads the payload, which is JSON where a bus brought it.
func noticeOf(e Event) (n Notice, ok bool) {
	switch payload := e.Payload.(type) {
	case Notice:
		return payload, true
	case json.RawMessage:
		return n, json.Unmarshal(payload, &n) == nil
	}
	return n, false
}
