package redisbus

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// OnPresence has tell called with users of whom no connection tells: those of a
// node that is gone, once, by one of the nodes that are left (online is false,
// at is when the node was last heard), and those who turn out to be there after
// all. If tell fails it is called again, also with those it has told of. It is
// set before Start, and has as long as a node may be silent.
func (b *Bus) OnPresence(tell func(ctx context.Context, users []int64, online bool, at time.Time) error) {
	b.onPresence = tell
}

// mournBatch is how many users are told of at a time.
const mournBatch = 100

// What a node does about those that are gone. All name the node as ARGV[2].
var (
	// claim picks a node that is gone and that nobody else mourns, for one
	// expiry. Who was itself thought to be gone waits. The answer is its name, and
	// when it expired; or nothing.
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

	// mourn takes users off the node that were told of, and answers how many are
	// left, whom of them to tell of next, and who of the former is there after all.
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

	// expire has the node be gone at once.
	expire = redis.NewScript(others + `
		redis.call('ZADD', KEYS[1], now - 1, ARGV[2])
		return 0`)
)

// watchNodes tells, until the bus closes, what nodes cannot tell that are gone.
func (b *Bus) watchNodes() {
	failed := false
	for sleep(b.ctx.Done(), b.presence.expiry/3) {
		err := errors.Join(b.mournOthers(), b.riseAgain())
		if err != nil {
			b.presence.failures.Add(1)
		}
		if err != nil && !failed && b.ctx.Err() == nil {
			b.cfg.Log.Warn("users of a node that is gone are not told of yet", "err", err)
		}
		failed = err != nil
	}
}

// mournOthers tells of the users of nodes that are gone. A node that could not
// reach Redis a moment ago waits: the others may have had the same trouble, and
// not be gone.
func (b *Bus) mournOthers() error {
	for b.steady() {
		answer, err := b.run(b.ctx, claim).StringSlice()
		if err != nil || len(answer) == 0 {
			return err
		}
		if len(answer) != 2 {
			return errors.New("claim: an answer of another length")
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

// steady tells whether Redis has heard this node all the time in which one that
// is gone was silent, and before that for as long as others may need to find
// that Redis is back.
func (p *presence) steady() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.steadySince.IsZero() && time.Since(p.steadySince) > 2*p.expiry
}

// mourn tells that the users of a node are gone, and of those who came back
// meanwhile that they are there: the one may have overtaken the other.
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
	b.cfg.Log.Info("a node is gone, and its users were told of", "node", node, "last_heard", lastHeard)
	return nil
}

// users reads a list of ids out of the answer of a script.
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

// riseAgain tells that the users of this node are there, if others told that
// they are not.
func (b *Bus) riseAgain() error {
	b.presence.mu.Lock()
	mourned := b.presence.mourned
	b.presence.mu.Unlock()
	if !mourned {
		return nil
	}
	b.cfg.Log.Warn("the other nodes thought this one gone")
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
