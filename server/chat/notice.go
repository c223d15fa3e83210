package chat

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"
)

// A NoticeKind is the reason for a notice.
type NoticeKind string

// The kinds of notice.
const (
	NoticeBroadcast NoticeKind = "broadcast" // to everybody
	NoticeWarning   NoticeKind = "warning"   // to a user who was reported
)

// EventNotice carries a [Notice].
const EventNotice EventType = "notice"

// A Notice is a message of the staff to a user or to everybody. Clients show each id once.
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
	noticesFor    = 30 * 24 * time.Hour // how long a notice waits for its user
	noticesAtOnce = 20                  // most notices sent to a new connection
)

// Broadcast sends a notice to everybody: at once to users who are online, and to the
// others when they next connect within 30 days. Users who register later do not get it.
func (s *Service) Broadcast(ctx context.Context, by Staff, message string) (Notice, error) {
	if message == "" {
		return Notice{}, Errorf(KindInvalid, notBroadcast, "message is empty")
	}
	if err := checkText("message", message, maxNotice); err != nil {
		return Notice{}, err
	}
	entry := s.entry(by, LevelInfo, AuditEntry{Module: ModuleSystem, Message: "broadcast: " + message})
	n, err := s.cfg.Store.AddNotice(ctx, Notice{Kind: NoticeBroadcast, Message: message, CreatedAt: s.cfg.Now()}, entry)
	s.acted(ctx, ActBroadcast, err)
	if err != nil {
		return Notice{}, err
	}
	s.tellNotice(ctx, n)
	return n, nil
}

// tellNotice sends a stored notice to its users who are online.
func (s *Service) tellNotice(ctx context.Context, n Notice) {
	s.cfg.Hooks.noticeSent(ctx, n.Kind)
	e := Event{Type: EventNotice, At: s.cfg.Now(), Payload: n}
	if e.Everyone = n.UserID == 0; !e.Everyone {
		e.To = []int64{n.UserID}
	}
	s.publish(ctx, e)
}

// Notices returns the notices that the caller has not received, the oldest first, for a
// new connection. It returns at most 20: the next connection gets the rest. Call
// NoticesTold once they are sent.
func (s *Service) Notices(ctx context.Context, c Caller) ([]Notice, error) {
	return s.cfg.Store.Notices(ctx, c.UserID, s.cfg.Now().Add(-noticesFor), noticesAtOnce)
}

// NoticesTold records that all notices to userID from first to last were written to a
// socket of the user. It does not block, and stores this a little later. Until then, a
// new connection gets them again.
func (s *Service) NoticesTold(userID, first, last int64) {
	s.told.add(userID, Told{After: first - 1, UpTo: last})
}

// Told is a range of notices, by their ids: those after After, up to UpTo.
type Told struct{ After, UpTo int64 }

// toldDelay is how long tolds gathers. A broadcast is sent to many users at once.
const toldDelay = 100 * time.Millisecond

// tolds gathers which users have received which notices.
type tolds struct {
	*gatherer
	mu    sync.Mutex
	users map[Told][]int64
}

func newTolds(store func(Told, []int64)) *tolds {
	t := &tolds{users: make(map[Told][]int64)}
	t.gatherer = newGatherer(toldDelay, func() {
		users := t.take()
		// The oldest first: MarkNotices skips users with an older notice to be sent.
		order := slices.SortedFunc(maps.Keys(users), func(a, b Told) int {
			return cmp.Or(cmp.Compare(a.UpTo, b.UpTo), cmp.Compare(a.After, b.After))
		})
		for _, n := range order {
			store(n, users[n])
		}
	})
	return t
}

func (t *tolds) add(userID int64, n Told) {
	t.mu.Lock()
	t.users[n] = append(t.users[n], userID)
	t.mu.Unlock()
	t.poke()
}

func (t *tolds) take() map[Told][]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	users := t.users
	t.users = make(map[Told][]int64)
	return users
}

func (s *Service) storeTold(n Told, users []int64) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Limits.CommitWithin)
	defer cancel()
	if err := s.cfg.Store.MarkNotices(ctx, users, n, s.cfg.Now().Add(-noticesFor)); err != nil {
		s.cfg.Log.WarnContext(ctx, "sent notices not recorded; users will get them twice", "notice", n.UpTo, "users", len(users), "err", err)
	}
}

// NoticeOf returns the payload of an event of type EventNotice. ok is false if it is not
// a notice.
func NoticeOf(e Event) (n Notice, ok bool) {
	switch payload := e.Payload.(type) { // JSON if another node sent it
	case Notice:
		return payload, true
	case json.RawMessage:
		return n, json.Unmarshal(payload, &n) == nil
	}
	return n, false
}
