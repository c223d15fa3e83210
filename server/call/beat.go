package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	lateAtOnce = 100 // calls that one beat ends
	pruneEvery = time.Hour
	pruneChunk = 1000
)

// run looks after the times of calls. While a device is connected its node puts
// off, again and again, when its leg runs out: of a node that is killed the legs
// do, like those of a client that is gone. Which node ends such a call is all
// one, for the store lets only one do it.
func (s *Service) run() {
	ticker := time.NewTicker(s.cfg.Beat)
	defer ticker.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-ticker.C:
			ctx, cancel := context.WithTimeout(s.ctx, max(s.cfg.Gone, s.cfg.Beat))
			if err := s.beat(ctx); err != nil && s.ctx.Err() == nil {
				s.cfg.Log.WarnContext(ctx, "calls not looked after", "err", err)
			}
			cancel()
		}
	}
}

// beat looks at the times of calls once. Nobody could put them off while the
// store was away: before it ends any, it gives all nodes the time to.
func (s *Service) beat(ctx context.Context) error {
	now := s.cfg.Now()
	err := s.renew(ctx, now)
	if err == nil && now.Sub(s.steady) >= s.cfg.Gone {
		err = errors.Join(s.endLate(ctx, now), s.prune(ctx, now))
	}
	if err != nil {
		s.steady = s.cfg.Now()
	}
	return err
}

// renew puts off when the legs of this node's connections run out, and forgets
// connections whose call has ended, or has moved, without this node hearing.
func (s *Service) renew(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	asked := maps.Clone(s.here)
	s.mu.Unlock()
	if len(asked) == 0 {
		return nil
	}
	found, err := s.cfg.Store.RenewLegs(ctx, slices.Collect(maps.Keys(asked)), now.Add(s.cfg.Gone))
	if err != nil {
		return err
	}
	for _, conn := range found {
		delete(asked, conn)
	}
	return s.lose(ctx, asked)
}

// lose forgets connections that are in no call any more. The frame that says so
// may be on its way: it gets until the next beat.
func (s *Service) lose(ctx context.Context, lost map[uint64]*presence) error {
	var over []*presence
	s.mu.Lock()
	for conn, p := range lost {
		switch {
		case s.here[conn] != p: // it knows by now
		case !p.missed:
			p.missed = true
		default:
			delete(s.here, conn)
			over = append(over, p)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, p := range over {
		c, err := s.cfg.Store.Call(ctx, p.call)
		if me, _ := c.legs(p.device.UserID); err == nil && me != nil && c.State == Ended {
			s.notify(ctx, []Notice{c.over(me, p.device.Conn)})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// endLate ends the calls that have run out.
func (s *Service) endLate(ctx context.Context, now time.Time) error {
	ids, err := s.cfg.Store.LateCalls(ctx, now, lateAtOnce)
	for _, id := range ids {
		c, e := s.cfg.Store.Call(ctx, id)
		if user, late := c.late(now); e == nil && late {
			_, e = s.change(ctx, Device{UserID: user}, id, expire{})
			e = unlessOver(e)
		}
		err = errors.Join(err, e)
	}
	return err
}

// prune deletes calls that ended long ago, now and then.
func (s *Service) prune(ctx context.Context, now time.Time) error {
	if now.Sub(s.pruned) < pruneEvery {
		return nil
	}
	n, err := s.cfg.Store.PruneCalls(ctx, now.Add(-s.cfg.Keep), pruneChunk)
	if err == nil && n < pruneChunk {
		s.pruned = now
	}
	return err
}
