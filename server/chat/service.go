package chat

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// Limits of a Service. A zero field means its default.
type Limits struct {
	MaxContent   int           // bytes of a message; default 64 KiB
	MaxUpload    int64         // bytes of a file; default 100 MiB
	MaxMembers   int           // members of a group; default 1000
	Quota        Quota         // bytes of stored files; default no limit
	TokenTTL     time.Duration // lifetime of an access token; default 1 h
	SessionTTL   time.Duration // lifetime of a refresh token; default 30 days
	MaxBatch     int           // messages in one transaction; default 256
	Writers      int           // concurrent transactions of messages; default 1; use more if the store has several writers
	CommitEvery  time.Duration // shortest time between the starts of two transactions of messages; default 0: no wait
	CommitWithin time.Duration // timeout of a transaction; default 10 s
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

// Config has the parts and settings of a Service. A field is required unless its comment
// says what nil or the zero value means.
type Config struct {
	Store    Store
	Blobs    Blobs // nil: for a process that handles no files
	Bus      Bus
	Presence Presence

	Sessions    Cache[string, Session]
	Memberships Cache[int64, Membership]
	Directs     Cache[Pair, int64]
	Users       Cache[int64, User]
	Blocks      Cache[int64, Blocks] // nil: not cached

	// Local says that Store, Bus and caches are in this process, so that they answer at
	// once.
	Local bool

	// EndCall ends the call between two users, if there is one. nil: there are no calls.
	EndCall func(ctx context.Context, by, other int64) error

	Messages      Limiter[int64]  // messages sent, by user
	Actions       Limiter[int64]  // other changes, by user; nil: no limit
	Reads         Limiter[int64]  // reading requests, by user; nil: no limit
	Searches      Limiter[int64]  // searches for people, by user, so that nobody tries all phone numbers; nil: no limit
	TextSearches  Limiter[int64]  // searches for messages, by user; nil: no limit
	NewRequests   Limiter[int64]  // requests to users who accept only contacts, by user; nil: no limit
	NewGroups     Limiter[int64]  // groups created, by user: each one appears with all its members; nil: no limit
	LoginAccounts Limiter[string] // failed logins, by account
	LoginAddrs    Limiter[string] // failed logins, by IP address
	Registrations Limiter[string] // by IP address; loopback addresses have no limit
	Exports       Limiter[int64]  // exports of a user's data, by user; nil: no limit
	CodeTries     Limiter[int64]  // codes of two-factor login, right or wrong, by user; nil: no limit

	Hasher    Hasher
	Signer    Signer
	Codes     Codes     // nil: nobody can set up two-factor login
	Usernames Usernames // nil: names that differ only in case are equal

	// NoUpkeep is for a process that is not a node. It starts no background work, such as
	// the removal of expired sessions; the nodes do it. Default false.
	NoUpkeep bool

	// ModerationReads allows the staff to read other people's messages. Default false.
	ModerationReads bool
	// ContactsOnly is the default for users who have not chosen from whom they accept
	// messages, groups and calls: only from contacts. Default false.
	ContactsOnly bool
	// RequireTwoFactor says which users must use two-factor login. Empty: off.
	RequireTwoFactor TwoFactorRequired

	Limits Limits           // zero: the defaults
	Hooks  Hooks            // zero: none
	Tracer Tracer           // nil: no traces
	Now    func() time.Time // nil: time.Now
	Log    *slog.Logger     // nil: discards
}

// A Service is the messaging domain. Create one with New, and close it. Its methods are
// safe for concurrent use. They return an [*Error] if the client may know the cause, and
// any other error if only the operator may.
type Service struct {
	cfg Config

	sends      *batcher[*pendingSend]
	marks      *batcher[*pendingMark]
	fanout     *batcher[outgoing]
	departures *batcher[int64]
	told       *tolds
	delivered  *deliveries
	presences  *presences
	arrivals   *arrivals
	background context.Context // for work that no caller waits for; ends with Close
	stop       context.CancelFunc
	pruning    sync.WaitGroup
	purges     chan struct{} // has room for one signal: a group was deleted
	inFlight   inflight      // logins, uploads and searches in progress, by the key of their limit
	searches   chan struct{} // a semaphore for searches of messages
	activity   activity
	attempts   attempts // of users who are not staff to do what only the staff may
	numbers    numbers
}

// New starts a Service. It does not check that cfg has all required fields.
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

// Close is Shutdown without a timeout.
func (s *Service) Close() { s.Shutdown(context.Background()) }

// Shutdown stops the Service. It refuses new messages, and returns when all accepted ones
// are stored and published. If ctx ends first, it refuses those that are not stored yet.
// Other methods may still be called, and may then fail with Unavailable. It is
// idempotent.
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

// Stats are gauges of this node.
type Stats struct {
	ActiveUsers int // distinct users with an authenticated request in the last 5 minutes
}

// Stats returns the current values.
func (s *Service) Stats() Stats {
	return Stats{ActiveUsers: s.activity.count(s.cfg.Now())}
}

// UploadLimit returns the largest size of a file, in bytes, that Upload accepts.
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

// membership returns a conversation with its members, from the cache or the store.
func (s *Service) membership(ctx context.Context, conversationID int64) (Membership, error) {
	membership, hit, err := s.cfg.Memberships.Load(ctx, conversationID, func(ctx context.Context) (Membership, error) {
		membership, err := s.cfg.Store.Membership(ctx, conversationID)
		membership.ids = membership.UserIDs()
		return membership, err
	})
	s.cfg.Hooks.cacheLookup(ctx, "membership", hit)
	return membership, err
}

// dropped removes key from a cache after a change that ended with err. It returns err,
// or the error of the cache if err is nil. It must be called even if the change failed:
// the change may be stored all the same, or it was refused because the cached value is
// stale.
func dropped[K comparable, V any](ctx context.Context, s *Service, cache Cache[K, V], key K, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Limits.CommitWithin)
	defer cancel()
	dropErr := cache.Drop(ctx, key)
	if err == nil {
		return dropErr
	}
	return err
}

// membershipOf returns the conversation of target. userID must be a member. what is the
// What of its errors. The error is errNoDirect if target is another user and userID has no
// conversation with them yet.
func (s *Service) membershipOf(ctx context.Context, userID int64, target Target, what string) (Membership, error) {
	if err := target.check(what); err != nil {
		return Membership{}, err
	}
	if target.ReceiverID == 0 {
		return s.membershipByID(ctx, userID, target.ChatID, what)
	}
	id, err := s.direct(ctx, userID, target.ReceiverID, what)
	if err != nil {
		return Membership{}, err
	}
	membership, err := s.membership(ctx, id)
	if err != nil {
		return Membership{}, orNotFound(err, what, notInConversation)
	}
	if _, ok := membership.Find(userID); !ok {
		return Membership{}, errNoDirect
	}
	return membership, nil
}

const notInConversation = "there is no such conversation, or you are not in it"

// membershipByID is membershipOf for the id of a conversation.
func (s *Service) membershipByID(ctx context.Context, userID, id int64, what string) (Membership, error) {
	membership, err := s.membership(ctx, id)
	if err != nil {
		return Membership{}, orNotFound(err, what, notInConversation)
	}
	if _, ok := membership.Find(userID); !ok {
		return Membership{}, Errorf(KindNotFound, what, notInConversation)
	}
	return membership, nil
}

// errNoDirect is returned for two users who never wrote to each other, and for a user
// with a pending request to write from the other one.
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

// publish sends an event to the bus. If that fails, it returns no error, because clients
// get the change by sync.
func (s *Service) publish(ctx context.Context, e Event) {
	if err := s.cfg.Bus.Publish(ctx, e); err != nil {
		s.cfg.Hooks.publishFailed(ctx, err)
		s.cfg.Log.ErrorContext(ctx, "event not published", "type", e.Type, "err", err)
	}
}
