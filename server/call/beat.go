package call

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	lateAtOnce = 100 // calls that one beat ends at most
	pruneEvery = time.Hour
	pruneChunk = 1000
)

// run checks the deadlines of calls. While a device is connected, its node keeps extending the deadline of its leg.
// If a node is killed, its legs expire, like those of a client that is gone. Any node may end such a call, because
// the store lets only one do it.
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
				s.cfg.Log.WarnContext(ctx, "could not check the deadlines of calls; trying again", "err", err)
			}
			cancel()
		}
	}
}

// beat checks the deadlines of calls once. While the store was unreachable, no node could extend them: so all nodes
// get time for that before this one ends any call.
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

// renew extends the deadlines of the legs of this node's connections. It drops connections whose call has ended or
// moved without this node learning of it.
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

// lose drops connections that are in no call any more. The frame that says so may be on its way, so they have until
// the next beat.
func (s *Service) lose(ctx context.Context, lost map[uint64]*presence) error {
	var over []*presence
	s.mu.Lock()
	for conn, p := range lost {
		switch {
		case s.here[conn] != p: // it has learned meanwhile
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
		if leg, _ := c.legs(p.device.UserID); err == nil && leg != nil && c.State == Ended {
			s.notify(ctx, []Notice{c.over(leg, p.device.Conn)})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// endLate ends the calls with an expired leg.
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

// prune deletes calls that ended long ago, from time to time.
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
