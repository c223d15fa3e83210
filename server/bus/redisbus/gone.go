package redisbus

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// OnPresence sets a function that the bus calls with users whose presence no connection reports. When a node is gone,
// one of the remaining nodes calls it for that node's users, with online false and the time at which the node was
// last heard. For users who turn out to be online after all it is called with online true. If tell fails, it is
// called again, possibly also with users it was already called for. It must be set before Start. tell has at most
// Config.Expiry to return.
func (b *Bus) OnPresence(tell func(ctx context.Context, users []int64, online bool, at time.Time) error) {
	b.onPresence = tell
}

// mournBatch is how many users are reported at a time.
const mournBatch = 100

// Scripts about nodes that are gone. All get the name of the node as ARGV[2].
var (
	// claim picks a node that is gone and that no other node is handling, for one expiry. A node that was itself
	// considered gone waits. It returns the node's name and when it expired, or nothing.
	claim = redis.NewScript(others + `
		if not live(ARGV[2]) then return {} end
		redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - 1000 * keep)
		local gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now, 'WITHSCORES')
		for i = 1, #gone, 2 do
			if (tonumber(redis.call('ZSCORE', KEYS[3], gone[i])) or 0) < now then
				redis.call('ZADD', KEYS[3], now + ARGV[3], gone[i])
				return {gone[i], gone[i + 1]}
			end
		end
		return {}`)

	// mourn removes users that were reported from the node. It returns how many are left, which of them to report
	// next, and which of the removed ones are online after all.
	mourn = redis.NewScript(others + `
		local back, next = {}, {}
		local function online(user)
			return elsewhere(user) == 1 or live(ARGV[2]) and redis.call('SISMEMBER', KEYS[2], user) == 1
		end
		for i = 4, #ARGV do
			if online(ARGV[i]) then back[#back + 1] = ARGV[i] end
		end
		if live(ARGV[2]) then return {0, next, back} end
		redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[2])
		if #ARGV > 3 then redis.call('SREM', KEYS[2], unpack(ARGV, 4)) end
		for _, user in ipairs(redis.call('SRANDMEMBER', KEYS[2], ` + strconv.Itoa(mournBatch) + `)) do
			if online(user) then redis.call('SREM', KEYS[2], user) else next[#next + 1] = user end
		end
		local left = redis.call('SCARD', KEYS[2])
		if left == 0 then redis.call('ZREM', KEYS[1], ARGV[2]) end
		return {left, next, back}`)

	// expire makes the node count as gone at once.
	expire = redis.NewScript(others + `
		redis.call('ZADD', KEYS[1], now - 1, ARGV[2])
		return 0`)
)

// watchNodes handles nodes that are gone, until the bus closes.
func (b *Bus) watchNodes() {
	failed := false
	for sleep(b.ctx.Done(), b.presence.expiry/3) {
		err := errors.Join(b.mournOthers(), b.riseAgain())
		if err != nil {
			b.presence.failures.Add(1)
		}
		if err != nil && !failed && b.ctx.Err() == nil {
			b.cfg.Log.Warn("could not report the users of a node that is gone; trying again", "err", err)
		}
		failed = err != nil
	}
}

// mournOthers reports the users of nodes that are gone as offline. A node that could not reach Redis a moment ago
// waits: the others may have had the same trouble, and not be gone.
func (b *Bus) mournOthers() error {
	for b.steady() {
		answer, err := b.run(b.ctx, claim).StringSlice()
		if err != nil || len(answer) == 0 {
			return err
		}
		if len(answer) != 2 {
			return errors.New("redis: the script claim returned a wrong number of values")
		}
		expired, err := strconv.ParseFloat(answer[1], 64)
		if err != nil {
			return err
		}
		if err := b.mourn(answer[0], time.UnixMilli(int64(expired)).Add(-b.cfg.Expiry)); err != nil {
			return err
		}
	}
	return nil
}

// steady reports whether Redis has heard this node for as long as it takes until a silent node counts as gone, plus
// the time that others may need to notice that Redis is back.
func (p *presence) steady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.steadySince.IsZero() && time.Since(p.steadySince) > 2*p.expiry
}

// mourn reports the users of a node as offline, and those who came back meanwhile as online, because one report may
// have overtaken the other.
func (b *Bus) mourn(node string, lastHeard time.Time) error {
	var told []int64
	for left := int64(1); left > 0 || len(told) > 0; {
		answer, err := b.runFor(b.ctx, mourn, node, told...).Slice()
		if err != nil {
			return err
		}
		next, back := users(answer, 1), users(answer, 2)
		if err := errors.Join(b.tell(next, false, lastHeard), b.tell(back, true, time.Now())); err != nil {
			return err
		}
		left, _ = answer[0].(int64)
		told = next
	}
	b.cfg.Log.Info("a node is gone; its users were reported offline", "node", node, "last_heard", lastHeard)
	return nil
}

// users returns a list of ids from the result of a script.
func users(answer []any, i int) (ids []int64) {
	list, _ := answer[i].([]any)
	for _, name := range list {
		text, _ := name.(string)
		if id, err := strconv.ParseInt(text, 10, 64); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// riseAgain reports the users of this node as online, if other nodes have reported them offline.
func (b *Bus) riseAgain() error {
	b.presence.mu.Lock()
	mourned := b.presence.mourned
	b.presence.mu.Unlock()
	if !mourned {
		return nil
	}
	b.cfg.Log.Warn("the other nodes considered this node gone; its users are reported online again")
	for some := range slices.Chunk(b.here(), mournBatch) {
		if err := b.tell(some, true, time.Now()); err != nil {
			return err
		}
	}
	if err := b.client.ZRem(b.ctx, b.mourning(), b.node).Err(); err != nil {
		return err
	}
	b.presence.mu.Lock()
	defer b.presence.mu.Unlock()
	b.presence.mourned = false
	return nil
}

func (b *Bus) tell(users []int64, online bool, at time.Time) error {
	if b.onPresence == nil || len(users) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(b.ctx, b.presence.expiry)
	defer cancel()
	return b.onPresence(ctx, users, online, at)
}
