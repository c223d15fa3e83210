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
	entry := s.entry(by, LevelInfo, AuditEntry{Module: ModuleSystem, Message: "broadcast: " + message})
	n, err := s.cfg.Store.AddNotice(ctx, Notice{Kind: NoticeBroadcast, Message: message, CreatedAt: s.cfg.Now()}, entry)
	s.acted(ctx, ActBroadcast, err)
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

// Notices returns what the caller was not told yet, the oldest first, and not more
// than one connection begins with: the rest comes with the next one. NoticesTold
// notes what was told.
func (s *Service) Notices(ctx context.Context, c Caller) ([]Notice, error) {
	return s.cfg.Store.Notices(ctx, c.UserID, s.cfg.Now().Add(-noticesFor), noticesAtOnce)
}

// NoticesTold notes that a socket of userID was written the notices from first to
// last, none of his between them left out. It returns at once. Until it is stored, a
// connection that begins tells them again.
func (s *Service) NoticesTold(userID, first, last int64) {
	s.told.add(userID, Told{After: first - 1, UpTo: last})
}

// Told are the notices whose ids come after one, up to another.
type Told struct{ After, UpTo int64 }

// toldDelay is how long it is gathered who was told of what: a broadcast is told
// to many at once.
const toldDelay = 100 * time.Millisecond

// tolds gathers which users were told of which notices.
type tolds struct {
	*gatherer
	mu    sync.Mutex
	users map[Told][]int64
}

func newTolds(store func(Told, []int64)) *tolds {
	t := &tolds{users: make(map[Told][]int64)}
	t.gatherer = newGatherer(toldDelay, func() {
		users := t.take()
		// From the oldest on: a notice counts as told once those before it do.
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
		s.cfg.Log.WarnContext(ctx, "users will be told of a notice twice", "notice", n.UpTo, "users", len(users), "err", err)
	}
}

// NoticeOf reads the payload of an event of type EventNotice.
func NoticeOf(e Event) (n Notice, ok bool) {
	switch payload := e.Payload.(type) { // JSON where a bus brought it
	case Notice:
		return payload, true
	case json.RawMessage:
		return n, json.Unmarshal(payload, &n) == nil
	}
	return n, false
}
