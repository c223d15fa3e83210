package chat

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Limits bound what clients may ask for. A zero field takes its default.
type Limits struct {
	MaxContent   int           // bytes of a message; 64 KiB
	MaxUpload    int64         // bytes of a file; 100 MiB
	MaxMembers   int           // of a group; 1000
	Quota        Quota         // of files; none
	TokenTTL     time.Duration // life of an access token; 1 h
	SessionTTL   time.Duration // life of a refresh token; 30 days
	MaxBatch     int           // messages in one transaction; 256
	Writers      int           // transactions of messages at a time; 1, more where the store has many writers
	CommitEvery  time.Duration // how far apart transactions of messages begin, at least; 0: one begins with the first message there is
	CommitWithin time.Duration // a transaction that takes longer is given up; 10 s
}

func (l Limits) withDefaults() Limits {
	l.MaxContent = cmp.Or(l.MaxContent, 64<<10)
	l.MaxUpload = cmp.Or(l.MaxUpload, 100<<20)
	l.MaxMembers = cmp.Or(l.MaxMembers, 1000)
	l.TokenTTL = cmp.Or(l.TokenTTL, time.Hour)
	l.SessionTTL = cmp.Or(l.SessionTTL, 30*24*time.Hour)
	l.MaxBatch = cmp.Or(l.MaxBatch, 256)
	l.Writers = cmp.Or(l.Writers, 1)
	l.CommitWithin = cmp.Or(l.CommitWithin, 10*time.Second)
	return l
}

// Config is what a Service is made of. Every field is required but Blobs, without
// which files are left to processes that have them, Usernames, NoUpkeep, ModerationReads, RequireTwoFactor, Limits, Hooks, Tracer, Now, Log, and where nil is said to be no limit.
type Config struct {
	Store    Store
	Blobs    Blobs
	Bus      Bus
	Presence Presence

	Sessions    Cache[string, Session]
	Memberships Cache[int64, Membership]
	Directs     Cache[Pair, int64]
	Users       Cache[int64, User]
	Blocks      Cache[int64, Blocks] // nil: they are asked of the store each time

	// EndCall ends the call between two users, if there is one; nil: there are no calls.
	EndCall func(ctx context.Context, by, other int64) error

	Messages      Limiter[int64]  // sent, by user
	Actions       Limiter[int64]  // whatever else is told to others, by user; nil: no limit
	Reads         Limiter[int64]  // whatever is asked for, by user; nil: no limit
	Searches      Limiter[int64]  // for people, by user: phones must not be tried one after the other; nil: no limit
	TextSearches  Limiter[int64]  // of messages, by user; nil: no limit
	NewRequests   Limiter[int64]  // made of those who want to be asked, by user; nil: no limit
	NewGroups     Limiter[int64]  // made, by user: each is put before all its members; nil: no limit
	LoginAccounts Limiter[string] // failed logins, by account
	LoginAddrs    Limiter[string] // failed logins, by address
	Registrations Limiter[string] // by address; loopback is free
	Exports       Limiter[int64]  // of one's data, by user; nil: no limit
	CodeTries     Limiter[int64]  // at codes of two-factor login, right or wrong, by user; nil: no limit

	Hasher    Hasher
	Signer    Signer
	Codes     Codes     // nil: nobody sets up two-factor login
	Usernames Usernames // nil: names that differ in case are one

	// NoUpkeep is for a process that is no node: nothing runs in the background, and
	// what has to be done by and by is left to the nodes.
	NoUpkeep bool

	ModerationReads  bool              // the staff may read other people's messages
	ContactsOnly     bool              // users who never chose take messages, groups and calls of contacts only
	RequireTwoFactor TwoFactorRequired // empty: off

	Limits Limits
	Hooks  Hooks
	Tracer Tracer           // nil: nothing is traced
	Now    func() time.Time // time.Now
	Log    *slog.Logger     // discards
}

// A Service is the chat. Its methods are safe for concurrent use; those that
// can fail return an [*Error] where the client may know the cause, and any
// other error where only the operator may. Close it.
type Service struct {
	cfg Config

	sends       *batcher[*pendingSend]
	marks       *batcher[*pendingMark]
	fanout      *batcher[outgoing]
	departures  *batcher[int64]
	told        *tolds
	delivered   *deliveries
	presences   *presences
	arrivals    *arrivals
	background  context.Context // of work that nobody waits for; ends with Close
	stop        context.CancelFunc
	pruning     sync.WaitGroup
	purges      chan struct{} // holds one: a group was deleted
	inFlight    inflight      // logins, uploads and searches, by what they share
	searches    chan struct{} // of messages, under way
	indexBehind atomic.Int64
	activity    activity
	attempts    attempts // of plain users, at what is the staff's
	numbers     numbers
}

// New starts a Service.
func New(cfg Config) *Service {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Usernames == nil {
		cfg.Usernames = lowerCase{}
	}
	s := &Service{cfg: cfg, purges: make(chan struct{}, 1)}
	s.background, s.stop = context.WithCancel(context.Background())
	s.arrivals = newArrivals()
	s.fanout = newBatcher(cfg.Limits.MaxBatch, 0, s.announce)
	s.sends = newBatcher(cfg.Limits.MaxBatch*cfg.Limits.Writers, cfg.Limits.CommitEvery, s.commitAll)
	s.marks = newBatcher(cfg.Limits.MaxBatch, 0, s.advance)
	s.departures = newBatcher(cfg.Limits.MaxBatch, 0, s.depart)
	s.told = newTolds(s.storeTold)
	s.delivered = newDeliveries(s.storeDelivered)
	s.presences = newPresences(s.tellGathered)
	s.searches = make(chan struct{}, searchesOfNode)
	if !cfg.NoUpkeep {
		s.pruning.Go(s.prune)
		s.pruning.Go(s.index)
	}
	return s
}

// Close is Shutdown without a deadline.
func (s *Service) Close() { s.Shutdown(context.Background()) }

// Shutdown refuses new messages, stores and announces those that were accepted,
// and returns when that is done. When ctx ends first, those that are not stored
// by then are refused. It is called once nothing calls the Service any more, or
// is ready to be refused; twice is as good as once.
func (s *Service) Shutdown(ctx context.Context) {
	defer context.AfterFunc(ctx, s.stop)()
	s.sends.close()
	s.marks.close()
	s.fanout.close()
	s.departures.close()
	s.told.close()
	s.delivered.close()
	s.presences.close()
	s.stop()
	s.arrivals.close()
	s.pruning.Wait()
}

// Stats are the numbers of the domain that are a state, not an event.
type Stats struct {
	ActiveUsers int   // distinct users who did anything authenticated in the last 5 minutes
	IndexBehind int64 // messages, about, that are not indexed for searches yet, as this node last saw
}

// Stats reads the current numbers.
func (s *Service) Stats() Stats {
	return Stats{ActiveUsers: s.activity.count(s.cfg.Now()), IndexBehind: s.indexBehind.Load()}
}

// UploadLimit is the most bytes that Upload takes.
func (s *Service) UploadLimit() int64 { return s.cfg.Limits.MaxUpload }

// user returns an account from the cache or the store.
func (s *Service) user(ctx context.Context, id int64) (User, error) {
	u, hit, err := s.cfg.Users.Load(ctx, id, func(ctx context.Context) (User, error) {
		found, err := s.cfg.Store.Users(ctx, []int64{id})
		if err != nil {
			return User{}, err
		}
		if len(found) == 0 {
			return User{}, ErrNotFound
		}
		return found[0], nil
	})
	s.cfg.Hooks.cacheLookup(ctx, "user", hit)
	return u, err
}

// membership returns who is in a conversation, from the cache or the store.
func (s *Service) membership(ctx context.Context, conversationID int64) (Membership, error) {
	m, hit, err := s.cfg.Memberships.Load(ctx, conversationID, func(ctx context.Context) (Membership, error) {
		m, err := s.cfg.Store.Membership(ctx, conversationID)
		m.ids = m.UserIDs()
		return m, err
	})
	s.cfg.Hooks.cacheLookup(ctx, "membership", hit)
	return m, err
}

// dropped forgets what is cached under key, and returns err, or else why that
// failed. It is called whatever became of a change: one that failed, or that
// nobody waits for any more, may have been stored, or refused because the cache
// is old.
func dropped[K comparable, V any](ctx context.Context, s *Service, cache Cache[K, V], key K, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	dropErr := cache.Drop(ctx, key)
	if err == nil {
		return dropErr
	}
	return err
}

// room returns the conversation that target names, in which userID is a
// member; what fails without that is called what. errNoDirect: it is one of two
// users that userID does not have, or not yet.
func (s *Service) room(ctx context.Context, userID int64, target Target, what string) (Membership, error) {
	if err := target.check(what); err != nil {
		return Membership{}, err
	}
	if target.ReceiverID == 0 {
		return s.roomByID(ctx, userID, target.ChatID, what)
	}
	id, err := s.direct(ctx, userID, target.ReceiverID, what)
	if err != nil {
		return Membership{}, err
	}
	m, err := s.membership(ctx, id)
	if err != nil {
		return Membership{}, orNotFound(err, what, notInRoom)
	}
	if _, ok := m.Find(userID); !ok {
		return Membership{}, errNoDirect
	}
	return m, nil
}

const notInRoom = "there is no such conversation, or you are not in it"

// roomByID is room for a conversation whose id is known.
func (s *Service) roomByID(ctx context.Context, userID, id int64, what string) (Membership, error) {
	m, err := s.membership(ctx, id)
	if err != nil {
		return Membership{}, orNotFound(err, what, notInRoom)
	}
	if _, ok := m.Find(userID); !ok {
		return Membership{}, Errorf(KindNotFound, what, notInRoom)
	}
	return m, nil
}

// errNoDirect is the answer for two users who never wrote to each other, or where
// one is asked whether the other may.
var errNoDirect = errors.New("chat: no direct conversation yet")

func (s *Service) direct(ctx context.Context, userID, peer int64, what string) (int64, error) {
	pair := PairOf(userID, peer)
	id, hit, err := s.cfg.Directs.Load(ctx, pair, func(ctx context.Context) (int64, error) {
		return s.cfg.Store.FindDirect(ctx, pair)
	})
	s.cfg.Hooks.cacheLookup(ctx, "direct", hit)
	if !errors.Is(err, ErrNotFound) {
		return id, err
	}
	u, err := s.user(ctx, peer)
	if err == nil {
		err = u.gone(what)
	}
	if err != nil {
		return 0, orNotFound(err, what, "there is no such user")
	}
	return 0, errNoDirect
}

// publish hands an event to the bus. Where that fails, clients learn of it by
// sync, so it is not the caller's failure.
func (s *Service) publish(ctx context.Context, e Event) {
	if err := s.cfg.Bus.Publish(ctx, e); err != nil {
		s.cfg.Hooks.publishFailed(ctx, err)
		s.cfg.Log.ErrorContext(ctx, "event not published", "type", e.Type, "err", err)
	}
}
