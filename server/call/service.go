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

// Config configures a Service. Store, Notifier and MayCall are required; a zero value of the others means the
// default.
type Config struct {
	Store    Store
	Notifier Notifier
	// MayCall returns an error, for the caller, if one user may not call another.
	MayCall func(ctx context.Context, caller, callee int64) error
	// Parted reports whether two users must not talk to each other any more. It is called after a call was stored:
	// whoever parts them later ends the call with EndCall. nil: no users are parted.
	Parted func(ctx context.Context, a, b int64) (bool, error)
	// MayAct returns an error if a user does too much at once. Events that end a call are always allowed. nil: no
	// limit.
	MayAct func(ctx context.Context, userID int64) error

	Ring time.Duration // an unanswered call ends after this time; 45 s
	Gone time.Duration // a call ends after a user has been disconnected for this time; 10 s
	Beat time.Duration // how often the deadlines of calls are checked; 1 s
	Keep time.Duration // how long ended calls can be read; 30 days

	Hooks Hooks
	Now   func() time.Time // time.Now
	Log   *slog.Logger     // discards if nil
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

// A Service handles calls for one node. The store holds the calls; the Service only knows which connections of its
// node are in one. Its methods are safe for concurrent use. Their errors are an [*Error], an error of MayCall or
// MayAct, or a failure of the store. Devices get responses as frames. The caller must call Close.
type Service struct {
	cfg Config

	mu   sync.Mutex
	here map[uint64]*presence // by connection

	steady time.Time // since when the store has answered; used by beat only
	pruned time.Time // when calls were last deleted; used by beat only
	ctx    context.Context
	cancel context.CancelFunc
	beats  sync.WaitGroup
}

// A presence is a connection of this node that is in a call.
type presence struct {
	device Device
	call   string
	up     bool
	missed bool // in the last beat
}

// New starts a Service.
func New(cfg Config) *Service {
	s := &Service{cfg: cfg.withDefaults(), here: make(map[uint64]*presence)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.steady = s.cfg.Now()
	s.beats.Go(s.run)
	return s
}

// Close stops the Service's goroutine. Calls continue: another node checks them, or this one after a restart.
func (s *Service) Close() {
	s.cancel()
	s.beats.Wait()
}

// Stats are the current numbers of a Service.
type Stats struct {
	Devices int // connections of this node that are in a call
	Up      int // those whose media is up
}

// Stats returns the current numbers.
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

// Call returns a call that the user is or was in.
func (s *Service) Call(ctx context.Context, userID int64, id string) (Summary, error) {
	c, err := s.cfg.Store.Call(ctx, id)
	if err != nil {
		return Summary{}, orNoCall(err)
	}
	if leg, _ := c.legs(userID); leg == nil {
		return Summary{}, errNoCall
	}
	return c.Summary(s.cfg.Now()), nil
}

// Do applies an event from a device to the call id.
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

// ends reports whether an event ends the call.
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

// change stores a transition, and notifies the devices concerned.
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

// settle updates this node's connections after a transition.
func (s *Service) settle(ctx context.Context, by Device, before, after Call) {
	s.mu.Lock()
	for _, leg := range []*Leg{&before.Caller, &before.Callee} {
		later, _ := after.legs(leg.UserID)
		if later != nil && (after.State == Ended || later.Conn != leg.Conn) {
			s.leave(leg.Conn, after.ID)
		}
	}
	if me, _ := after.legs(by.UserID); by.Conn != 0 && me.Conn == by.Conn && after.State != Ended {
		s.here[by.Conn] = &presence{device: by, call: after.ID, up: me.Up}
	}
	s.mu.Unlock()
	s.cfg.Hooks.told(ctx, before, after)
}

// leave drops a connection, unless it is in another call by now.
func (s *Service) leave(conn uint64, id string) {
	if p := s.here[conn]; p != nil && p.call == id {
		delete(s.here, conn)
	}
}

func (s *Service) notify(ctx context.Context, out []Notice) {
	for _, n := range out {
		if err := s.cfg.Notifier.Notify(ctx, n); err != nil {
			s.cfg.Log.ErrorContext(ctx, "could not send a frame of a call", "type", n.Type, "call", n.Frame.CallID, "err", err)
		}
	}
}

// Over is called when a call that a connection was in has ended, on any node.
func (s *Service) Over(conn uint64, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leave(conn, id)
}

// Start calls a user, with an offer from a connection, or without one, which then follows. made reports whether the
// call is new. It is not if both call each other (then both are in the same call), or if the user was called already.
// If the callee is in another call, that is not an error: the returned call has ended.
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
		return errorf(KindInvalid, "you cannot call yourself")
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

// startTries limits how often starting a call is tried while other calls, which are just ending, are in the way.
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

// unlessParted ends a new call if its users were parted while it was created.
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
	return s.cfg.MayCall(ctx, c.Caller.UserID, c.Callee.UserID) // its error says why
}

// EndCall ends the call between two users, if there is one, on behalf of by.
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

// collide handles a new call whose users are in calls already.
func (s *Service) collide(ctx context.Context, by Device, o Offer, c Call, others []Call) (Call, bool, error) {
	switch what, other := meet(c, others); what {
	case same:
		if o.SDP == nil {
			return other, false, nil
		}
		other, err := s.change(ctx, by, other.ID, o)
		return other, false, err
	case glare:
		if by.Conn != 0 { // first the call, then its offer
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

// ringOne rings one device of the callee. A notice that stops ringing may overtake it, so it checks the call again.
func (s *Service) ringOne(ctx context.Context, d Device, c Call) error {
	if d.Conn == 0 {
		return nil
	}
	s.notify(ctx, []Notice{c.ringing(d.Conn)})
	current, err := s.cfg.Store.Call(ctx, c.ID)
	switch {
	case err != nil:
		return err
	case current.State == Ended:
		s.notify(ctx, []Notice{current.over(&current.Callee, d.Conn)})
	case current.State != Ringing:
		s.notify(ctx, []Notice{current.elsewhere(&current.Callee, d.Conn)})
	}
	return nil
}

// Connected is called when a device has connected, before anything is read from it. If the user is being called, the
// device rings; if it was in a call, it rejoins.
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

// Resume rings those of a node's devices again that are being called, because frames for the node may have been lost.
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

// Disconnected is called when a device's connection is closed, after everything that it sent.
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

// unlessOver returns err, unless it says that the call has ended meanwhile.
func unlessOver(err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return nil
	}
	return err
}
