package call

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

// Config is what a Service is made of. Store, Notifier and MayCall are required;
// a zero field of the others takes its default.
type Config struct {
	Store    Store
	Notifier Notifier
	// MayCall refuses a call of one user to another, with the error that the
	// caller is shown.
	MayCall func(ctx context.Context, caller, callee int64) error
	// Parted tells whether two users must not talk to each other any more. It is
	// asked once a call is stored: who parts them after that ends it with EndCall.
	// nil: none are.
	Parted func(ctx context.Context, a, b int64) (bool, error)
	// MayAct refuses what a user does because it is too much at once. Nothing
	// that ends a call is refused. nil: no limit.
	MayAct func(ctx context.Context, userID int64) error

	Ring time.Duration // a call that nobody answers ends after so long; 45 s
	Gone time.Duration // and one that a user has lost his connection to; 10 s
	Beat time.Duration // how often the times of calls are looked at; 1 s
	Keep time.Duration // for how long calls that have ended can be read; 30 days

	Hooks Hooks
	Now   func() time.Time // time.Now
	Log   *slog.Logger     // discards
}

func (c Config) withDefaults() Config {
	c.Ring = cmp.Or(c.Ring, 45*time.Second)
	c.Gone = cmp.Or(c.Gone, 10*time.Second)
	c.Beat = cmp.Or(c.Beat, time.Second)
	c.Keep = cmp.Or(c.Keep, 30*24*time.Hour)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

func (c *Config) rules() Rules { return Rules{Ring: c.Ring, Gone: c.Gone} }

// A Service is one node's end of all calls. What calls are is in the store; the
// Service knows besides which of its node's connections are in one. Its methods
// are safe for concurrent use; their errors are an [*Error], what MayCall and
// MayAct answered, or a failure of the store. What a device is answered comes to
// it as a frame. Close it.
type Service struct {
	cfg Config

	mu   sync.Mutex
	here map[uint64]*presence // by connection

	steady time.Time // since when the store answers; the beat's
	pruned time.Time // when calls were last deleted; the beat's
	ctx    context.Context
	cancel context.CancelFunc
	beats  sync.WaitGroup
}

// A presence is a connection of this node that is in a call.
type presence struct {
	device Device
	call   string
	up     bool
	missed bool // by the last beat
}

// New starts a Service.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg.withDefaults(), here: make(map[uint64]*presence)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.steady = s.cfg.Now()
	s.beats.Go(s.run)
	return s
}

// Close ends what the Service does by itself. Calls go on: another node sees to
// them, or this one when it is started again.
func (s *Service) Close() {
	s.cancel()
	s.beats.Wait()
}

// Stats are the numbers of a Service that are a state, not an event.
type Stats struct {
	Devices int // connections of this node that are in a call
	Up      int // and whose media is up
}

// Stats reads the current numbers.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := Stats{Devices: len(s.here)}
	for _, p := range s.here {
		if p.up {
			n.Up++
		}
	}
	return n
}

// Call tells of a call that the user is in, or was.
func (s *Service) Call(ctx context.Context, userID int64, id string) (Summary, error) {
	c, err := s.cfg.Store.Call(ctx, id)
	if err != nil {
		return Summary{}, orNoCall(err)
	}
	if me, _ := c.legs(userID); me == nil {
		return Summary{}, errNoCall
	}
	return c.Summary(s.cfg.Now()), nil
}

// Do has happen to the call id what a device asks for.
func (s *Service) Do(ctx context.Context, by Device, id string, e Event) (Summary, error) {
	if id == "" {
		return Summary{}, errorf(KindInvalid, "call_id is required")
	}
	if err := e.check(); err != nil {
		return Summary{}, err
	}
	if !ends(e) {
		if err := s.mayAct(ctx, by); err != nil {
			return Summary{}, err
		}
	}
	c, err := s.change(ctx, by, id, e)
	return c.Summary(s.cfg.Now()), err
}

// ends tells whether an event ends the call.
func ends(e Event) bool {
	switch e := e.(type) {
	case End:
		return true
	case Status:
		return e.Status == Ended
	}
	return false
}

func (s *Service) mayAct(ctx context.Context, by Device) error {
	if s.cfg.MayAct == nil {
		return nil
	}
	return s.cfg.MayAct(ctx, by.UserID)
}

// change stores a transition, and tells those whom it concerns.
func (s *Service) change(ctx context.Context, by Device, id string, e Event) (Call, error) {
	var before Call
	var out []Notice
	after, err := s.cfg.Store.ChangeCall(ctx, id, func(c *Call) (err error) {
		before = *c
		*c, out, err = transition(*c, by, e, s.cfg.Now(), s.cfg.rules())
		return err
	})
	if err != nil {
		return Call{}, orNoCall(err)
	}
	s.settle(ctx, by, before, after)
	s.notify(ctx, out)
	return after, nil
}

// settle notes what a transition means for this node's connections.
func (s *Service) settle(ctx context.Context, by Device, before, after Call) {
	s.mu.Lock()
	for _, leg := range []*Leg{&before.Caller, &before.Callee} {
		me, _ := after.legs(leg.UserID)
		if me != nil && (after.State == Ended || me.Conn != leg.Conn) {
			s.leave(leg.Conn, after.ID)
		}
	}
	if me, _ := after.legs(by.UserID); by.Conn != 0 && me.Conn == by.Conn && after.State != Ended {
		s.here[by.Conn] = &presence{device: by, call: after.ID, up: me.Up}
	}
	s.mu.Unlock()
	s.cfg.Hooks.told(ctx, before, after)
}

// leave forgets a connection, unless it is in another call by now.
func (s *Service) leave(conn uint64, id string) {
	if p := s.here[conn]; p != nil && p.call == id {
		delete(s.here, conn)
	}
}

func (s *Service) notify(ctx context.Context, out []Notice) {
	for _, n := range out {
		if err := s.cfg.Notifier.Notify(ctx, n); err != nil {
			s.cfg.Log.ErrorContext(ctx, "frame of a call not sent", "type", n.Type, "call", n.Frame.CallID, "err", err)
		}
	}
}

// Over tells that a call which a connection was in has ended, on whichever node.
func (s *Service) Over(conn uint64, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(conn, id)
}

// Start calls a user: with an offer, which a connection makes, or without one,
// which follows. made tells whether the call is a new one; it is not where the
// other calls already (each call both made is one), or was called already. A
// callee who is in another call is no error: the call has ended then.
func (s *Service) Start(ctx context.Context, by Device, o Offer) (c Summary, made bool, err error) {
	if err := s.mayStart(ctx, by, o); err != nil {
		return Summary{}, false, err
	}
	call, made, err := s.start(ctx, by, o)
	return call.Summary(s.cfg.Now()), made, err
}

func (s *Service) mayStart(ctx context.Context, by Device, o Offer) error {
	switch {
	case o.To <= 0:
		return errorf(KindInvalid, "the user to call is required: a positive number")
	case o.To == by.UserID:
		return errorf(KindInvalid, "nobody calls himself")
	case o.Type != Audio && o.Type != Video:
		return errorf(KindInvalid, "the type of a call is audio or video")
	}
	if o.SDP != nil || by.Conn != 0 {
		if err := o.check(); err != nil {
			return err
		}
	}
	if err := s.mayAct(ctx, by); err != nil {
		return err
	}
	return s.cfg.MayCall(ctx, by.UserID, o.To)
}

// startTries is how often a call is tried to begin while others, which end at
// the same time, stand in its way.
const startTries = 3

func (s *Service) start(ctx context.Context, by Device, o Offer) (c Call, made bool, err error) {
	var others []Call
	for range startTries {
		var out []Notice
		c, out = begin(by, o, s.cfg.Now(), s.cfg.rules())
		others, err = s.cfg.Store.CreateCall(ctx, c)
		if err == nil {
			s.settle(ctx, by, Call{}, c)
			s.notify(ctx, out)
			return c, true, s.unlessParted(ctx, by, c)
		}
		if !errors.Is(err, ErrBusy) || len(others) > 0 {
			break
		}
	}
	if len(others) == 0 {
		return Call{}, false, err
	}
	return s.collide(ctx, by, o, c, others)
}

// unlessParted ends a call whose users were parted while it was made.
func (s *Service) unlessParted(ctx context.Context, by Device, c Call) error {
	if s.cfg.Parted == nil {
		return nil
	}
	parted, err := s.cfg.Parted(ctx, c.Caller.UserID, c.Callee.UserID)
	if err != nil || !parted {
		return err
	}
	if _, err := s.change(ctx, Device{UserID: by.UserID}, c.ID, End{}); unlessOver(err) != nil {
		return err
	}
	return s.cfg.MayCall(ctx, c.Caller.UserID, c.Callee.UserID) // says why
}

// EndCall ends the call between two users, if there is one, on behalf of one.
func (s *Service) EndCall(ctx context.Context, by, other int64) error {
	c, err := s.cfg.Store.CallOf(ctx, by)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, peer := c.legs(by); peer == nil || peer.UserID != other {
		return nil
	}
	_, err = s.change(ctx, Device{UserID: by}, c.ID, End{})
	return unlessOver(err)
}

// collide is what becomes of a call whose users are in calls already.
func (s *Service) collide(ctx context.Context, by Device, o Offer, c Call, others []Call) (Call, bool, error) {
	switch what, other := meet(c, others); what {
	case same:
		if o.SDP == nil {
			return other, false, nil
		}
		other, err := s.change(ctx, by, other.ID, o)
		return other, false, err
	case glare:
		if by.Conn != 0 { // first which call it is, then its offer
			bare := other
			bare.Signals = Signals{}
			s.notify(ctx, []Notice{bare.ringing(by.Conn)})
		}
		return other, false, s.ringOne(ctx, by, other)
	case inCall:
		return Call{}, false, errorf(KindConflict, "you are in a call already: end it first (call_id %s)", other.ID)
	default:
		refused, out := refuse(c, by, s.cfg.Now())
		if _, err := s.cfg.Store.CreateCall(ctx, refused); err != nil {
			return Call{}, false, err
		}
		s.settle(ctx, by, Call{}, refused)
		s.notify(ctx, out)
		return refused, true, nil
	}
}

// ringOne has one device of the callee's ring. What has the others stop meanwhile
// may come to it before that.
func (s *Service) ringOne(ctx context.Context, d Device, c Call) error {
	if d.Conn == 0 {
		return nil
	}
	s.notify(ctx, []Notice{c.ringing(d.Conn)})
	now, err := s.cfg.Store.Call(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case now.State == Ended:
		s.notify(ctx, []Notice{now.over(&now.Callee, d.Conn)})
	case now.State != Ringing:
		s.notify(ctx, []Notice{now.elsewhere(&now.Callee, d.Conn)})
	}
	return nil
}

// Connected tells that a device has connected, before anything comes from it:
// one that is called rings, and one that was in a call is in it again.
func (s *Service) Connected(ctx context.Context, d Device) error {
	c, err := s.cfg.Store.CallOf(ctx, d.UserID)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	me, _ := c.legs(d.UserID)
	switch {
	case c.State == Ringing && me == &c.Callee:
		return s.ringOne(ctx, d, c)
	case me.Joined && me.Conn == 0 && me.Session == d.Session:
		_, err = s.change(ctx, d, c.ID, back{})
		return unlessOver(err)
	}
	return nil
}

// Resume has those of a node's devices ring again that are called, since the
// frames that said so may have been lost on their way to it.
func (s *Service) Resume(ctx context.Context, devices []Device) error {
	of := make(map[int64][]Device)
	for _, d := range devices {
		of[d.UserID] = append(of[d.UserID], d)
	}
	ids, err := s.cfg.Store.UnjoinedCalls(ctx, slices.Collect(maps.Keys(of)))
	for _, id := range ids {
		c, e := s.cfg.Store.Call(ctx, id)
		if e != nil || c.State != Ringing {
			err = errors.Join(err, e)
			continue
		}
		for _, d := range of[c.Callee.UserID] {
			err = errors.Join(err, s.ringOne(ctx, d, c))
		}
	}
	return err
}

// Disconnected tells that a device's connection is closed, after everything that
// came from it.
func (s *Service) Disconnected(ctx context.Context, d Device) error {
	s.mu.Lock()
	p := s.here[d.Conn]
	delete(s.here, d.Conn)
	s.mu.Unlock()
	if p == nil {
		return nil
	}
	_, err := s.change(ctx, d, p.call, gone{})
	return unlessOver(err)
}

// unlessOver is err, unless it says that the call has ended meanwhile.
func unlessOver(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return nil
	}
	return err
}
