package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
)

// failCall is fail for package call.
func (s *Store) failCall(ctx context.Context, what string, err error) error {
	switch err = s.fail(ctx, what, err); {
	case errors.Is(err, chat.ErrNotFound):
		return fmt.Errorf("%w (%w)", call.ErrNotFound, err)
	case errors.Is(err, chat.ErrConflict):
		return fmt.Errorf("%w (%w)", call.ErrBusy, err)
	}
	return err
}

// CreateCall implements call.Store. The key of the legs keeps a user from being in
// two calls. Both users are locked first, always in the same order: two inserts of
// the same leg would otherwise share a lock and end in a deadlock.
func (s *Store) CreateCall(ctx context.Context, c call.Call) (others []call.Call, err error) {
	signals, err := encodeSignals(c.Signals)
	if err != nil {
		return nil, err
	}
	err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		in, ids := inList([]int64{c.Caller.UserID, c.Callee.UserID}, nil)
		_, err := collect(ctx, t, scanID, `SELECT id FROM users `+s.dialect.byID+` WHERE id IN (`+in+`) ORDER BY id`+s.dialect.forUpdate, ids...)
		if err != nil {
			return err
		}
		_, err = exec(ctx, t, `INSERT INTO calls (type, state, caller_candidates, callee_candidates, answered_at, connected_at,
			ended_at, reason, ended_by, signals, id, caller_id, callee_id, created_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			append(callValues(c, signals), c.ID, c.Caller.UserID, c.Callee.UserID, micros(c.CreatedAt))...)
		if err != nil || c.State == call.Ended {
			return err
		}
		for _, leg := range []call.Leg{c.Caller, c.Callee} {
			_, err := exec(ctx, t, `INSERT INTO call_legs (conn, session, joined, up, until, user_id, call_id)
				VALUES (?, ?, ?, ?, ?, ?, ?)`, append(legValues(leg), leg.UserID, c.ID)...)
			if err != nil {
				return err
			}
		}
		return nil
	})
	err = s.failCall(ctx, "create call", err)
	if errors.Is(err, call.ErrBusy) {
		others, e := s.callsOf(ctx, c.Caller.UserID, c.Callee.UserID)
		return others, errors.Join(err, e)
	}
	return nil, err
}

// callsOf returns the calls that users are in.
func (s *Store) callsOf(ctx context.Context, userIDs ...int64) ([]call.Call, error) {
	var calls []call.Call
	for _, id := range userIDs {
		c, err := s.CallOf(ctx, id)
		if errors.Is(err, call.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		calls = append(calls, c)
	}
	return calls, nil
}

// CallOf implements call.Store.
func (s *Store) CallOf(ctx context.Context, userID int64) (call.Call, error) {
	var id string
	if err := row(ctx, s.read, `SELECT call_id FROM call_legs WHERE user_id = ?`, []any{userID}, &id); err != nil {
		return call.Call{}, s.failCall(ctx, "call of", err)
	}
	c, err := s.Call(ctx, id)
	if err == nil && c.State == call.Ended { // between the two statements
		return call.Call{}, fmt.Errorf("sqlstore: call of: %w", call.ErrNotFound)
	}
	return c, err
}

// Call implements call.Store.
func (s *Store) Call(ctx context.Context, id string) (call.Call, error) {
	c, err := readCall(ctx, s.read, id, "")
	return c, s.failCall(ctx, "call", err)
}

// ChangeCall implements call.Store.
func (s *Store) ChangeCall(ctx context.Context, id string, change func(*call.Call) error) (call.Call, error) {
	var after call.Call
	err := s.write.inTx(ctx, func(ctx context.Context, t querier) error {
		before, err := readCall(ctx, t, id, s.dialect.forUpdate)
		if err != nil {
			return err
		}
		after = before
		if err := change(&after); err != nil {
			return err
		}
		return writeCall(ctx, t, before, after)
	})
	if err != nil {
		return call.Call{}, s.failCall(ctx, "change call", err)
	}
	return after, nil
}

const callColumns = `c.id, c.type, c.state, c.caller_id, c.callee_id, c.caller_candidates, c.callee_candidates,
	c.created_at, c.answered_at, c.connected_at, COALESCE(c.ended_at, 0), c.reason, c.ended_by, c.signals`

// scanCall reads a call without its legs.
func scanCall(r scanner) (call.Call, error) {
	var c call.Call
	var created, answered, connected, ended int64
	var signals []byte
	err := r.Scan(&c.ID, &c.Type, &c.State, &c.Caller.UserID, &c.Callee.UserID, &c.Caller.Candidates, &c.Callee.Candidates,
		&created, &answered, &connected, &ended, &c.Reason, &c.EndedBy, &signals)
	c.CreatedAt, c.AnsweredAt, c.ConnectedAt, c.EndedAt = timeOf(created), timeOf(answered), timeOf(connected), timeOf(ended)
	if err == nil && len(signals) > 0 {
		err = json.Unmarshal(signals, &c.Signals)
	}
	return c, err
}

// readCall reads a call and its legs; lock ends the SELECT.
func readCall(ctx context.Context, q querier, id, lock string) (call.Call, error) {
	c, err := one(ctx, q, scanCall, `SELECT `+callColumns+` FROM calls c WHERE c.id = ?`+lock, id)
	if err != nil || c.State == call.Ended {
		return c, err
	}
	legs, err := collect(ctx, q, scanLeg, `SELECT user_id, COALESCE(conn, 0), session, joined, up, until FROM call_legs WHERE call_id = ?`, id)
	for _, leg := range legs {
		mine := &c.Caller
		if leg.UserID == c.Callee.UserID {
			mine = &c.Callee
		}
		leg.Candidates = mine.Candidates
		*mine = leg
	}
	return c, err
}

func scanLeg(r scanner) (call.Leg, error) {
	var leg call.Leg
	var conn, until int64
	err := r.Scan(&leg.UserID, &conn, &leg.Session, &leg.Joined, &leg.Up, &until)
	leg.Conn, leg.Until = uint64(conn), timeOf(until)
	return leg, err
}

// writeCall stores the changes of a call and its legs.
func writeCall(ctx context.Context, t querier, before, after call.Call) error {
	signals, err := encodeSignals(after.Signals)
	if err != nil {
		return err
	}
	_, err = exec(ctx, t, `UPDATE calls SET type = ?, state = ?, caller_candidates = ?, callee_candidates = ?, answered_at = ?,
		connected_at = ?, ended_at = ?, reason = ?, ended_by = ?, signals = ? WHERE id = ?`,
		append(callValues(after, signals), after.ID)...)
	if err != nil {
		return err
	}
	if after.State == call.Ended {
		_, err := exec(ctx, t, `DELETE FROM call_legs WHERE call_id = ?`, after.ID)
		return err
	}
	for _, leg := range [][2]call.Leg{{before.Caller, after.Caller}, {before.Callee, after.Callee}} {
		if leg[0] == leg[1] {
			continue
		}
		_, err := exec(ctx, t, `UPDATE call_legs SET conn = ?, session = ?, joined = ?, up = ?, until = ? WHERE user_id = ? AND call_id = ?`,
			append(legValues(leg[1]), leg[1].UserID, after.ID)...)
		if err != nil {
			return err
		}
	}
	return nil
}

func callValues(c call.Call, signals string) []any {
	return []any{string(c.Type), string(c.State), c.Caller.Candidates, c.Callee.Candidates, micros(c.AnsweredAt),
		micros(c.ConnectedAt), orNull(micros(c.EndedAt)), string(c.Reason), c.EndedBy, signals}
}

func legValues(l call.Leg) []any {
	return []any{orNull(int64(l.Conn)), l.Session, l.Joined, l.Up, micros(l.Until)}
}

// encodeSignals returns signals as JSON, or "" if there are none.
func encodeSignals(s call.Signals) (string, error) {
	if s.Offer == nil && len(s.Waiting) == 0 {
		return "", nil
	}
	// Without escapes for HTML, so that signals stay as clients sent them.
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	err := enc.Encode(s)
	return text.String(), err
}

// UnjoinedCalls implements call.Store.
func (s *Store) UnjoinedCalls(ctx context.Context, userIDs []int64) ([]string, error) {
	var found []string
	for part := range slices.Chunk(userIDs, lists) {
		in, args := inList(part, nil)
		ids, err := collect(ctx, s.read, scanText, `SELECT call_id FROM call_legs WHERE joined = 0 AND user_id IN (`+in+`)`, args...)
		if err != nil {
			return nil, s.failCall(ctx, "unjoined calls", err)
		}
		found = append(found, ids...)
	}
	return found, nil
}

// RenewLegs implements call.Store.
func (s *Store) RenewLegs(ctx context.Context, conns []uint64, until time.Time) ([]uint64, error) {
	ids := make([]int64, len(conns))
	for i, c := range conns {
		ids[i] = int64(c)
	}
	var found []uint64
	for part := range slices.Chunk(ids, lists) {
		in, args := inList(part, []any{micros(until)})
		_, err := exec(ctx, s.write, `UPDATE call_legs SET until = ? WHERE conn IN (`+in+`)`, args...)
		if err == nil {
			part, err = collect(ctx, s.read, scanID, `SELECT conn FROM call_legs WHERE conn IN (`+in+`)`, args[1:]...)
		}
		if err != nil {
			return nil, s.failCall(ctx, "renew legs", err)
		}
		for _, id := range part {
			found = append(found, uint64(id))
		}
	}
	return found, nil
}

// LateCalls implements call.Store.
func (s *Store) LateCalls(ctx context.Context, now time.Time, limit int) ([]string, error) {
	ids, err := collect(ctx, s.read, scanText, `SELECT call_id FROM call_legs WHERE until <= ? ORDER BY until LIMIT ?`, micros(now), limit)
	return slices.Compact(ids), s.failCall(ctx, "late calls", err)
}

// PruneCalls implements call.Store.
func (s *Store) PruneCalls(ctx context.Context, before time.Time, limit int) (int, error) {
	ids, err := collect(ctx, s.read, scanText, `SELECT id FROM calls WHERE ended_at < ? ORDER BY ended_at LIMIT ?`, micros(before), limit)
	if err == nil && len(ids) > 0 {
		err = s.write.inTx(ctx, func(ctx context.Context, t querier) error {
			for part := range slices.Chunk(ids, lists) {
				in, args := inList(part, nil)
				if _, err := exec(ctx, t, `DELETE FROM calls WHERE id IN (`+in+`)`, args...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return 0, s.failCall(ctx, "prune calls", err)
	}
	return len(ids), nil
}
