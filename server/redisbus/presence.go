package redisbus

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// A presence knows who is connected to this node, and asks Redis for the rest.
// Redis keeps a set of users for each node, and the names of the nodes. Both
// expire unless the node beats: one that is killed takes its users with it.
type presence struct {
	client   redis.UniversalClient
	node     string
	expiry   time.Duration
	base     string // of keys; in a cluster they share a slot
	failures atomic.Uint64
	dirty    atomic.Bool // Redis may not have what mine says

	order [256]sync.Mutex // by user: changes of one reach Redis in their order

	mu   sync.Mutex
	mine map[int64]int // connections by user; none is no entry
	seen recent
}

func newPresence(client redis.UniversalClient, node string, cfg Config) *presence {
	return &presence{
		client: client, node: node, expiry: cfg.Expiry, base: "{" + cfg.Prefix + "online}:",
		mine: make(map[int64]int),
	}
}

// presenceWithin bounds a question to Redis: somebody waits for a connection.
const presenceWithin = 500 * time.Millisecond

// Scripts see all nodes at one moment, by the clock of Redis. KEYS: the names of
// nodes, by when they expire, and the users of this one. ARGV: the keys' base,
// this node, the expiry in seconds, users.
var (
	enter = redis.NewScript(others + `
		redis.call('SADD', KEYS[2], ARGV[4])
		redis.call('EXPIRE', KEYS[2], ARGV[3])
		redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
		return elsewhere(ARGV[4])`)
	leave = redis.NewScript(others + `
		redis.call('SREM', KEYS[2], ARGV[4])
		return elsewhere(ARGV[4])`)
	online = redis.NewScript(others + `
		local found = {}
		for i = 4, #ARGV do found[i - 3] = 0 end
		for _, node in ipairs(nodes()) do
			for i, is in ipairs(redis.call('SMISMEMBER', ARGV[1] .. node, unpack(ARGV, 4))) do
				if is == 1 then found[i] = 1 end
			end
		end
		return found`)
	beat = redis.NewScript(others + `
		redis.call('EXPIRE', KEYS[2], ARGV[3])
		redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
		redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[3])
		return redis.call('SCARD', KEYS[2])`)
)

const others = `
	local now = tonumber(redis.call('TIME')[1])
	local function nodes()
		local found = {}
		for _, node in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf')) do
			if node ~= ARGV[2] then found[#found + 1] = node end
		end
		return found
	end
	local function elsewhere(user)
		for _, node in ipairs(nodes()) do
			if redis.call('SISMEMBER', ARGV[1] .. node, user) == 1 then return 1 end
		end
		return 0
	end`

func (p *presence) keys() []string { return []string{p.base + "nodes", p.users()} }

func (p *presence) users() string { return p.base + "of:" + p.node }

func (p *presence) run(ctx context.Context, s *redis.Script, users ...int64) *redis.Cmd {
	args := []any{p.base + "of:", p.node, max(1, int(p.expiry/time.Second))}
	for _, id := range users {
		args = append(args, id)
	}
	// A caller who gives up leaves nothing half done.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), presenceWithin)
	defer cancel()
	return s.Run(ctx, p.client, p.keys(), args...)
}

// Connected implements chat.Presence. Where Redis is away it goes by the
// connections to this node. It returns no error.
func (p *presence) Connected(ctx context.Context, userID int64) (first bool, err error) {
	return p.change(ctx, userID, 1, enter), nil
}

// Disconnected implements chat.Presence, as Connected does. Of a user without
// connections nothing was the last.
func (p *presence) Disconnected(ctx context.Context, userID int64) (last bool, err error) {
	return p.change(ctx, userID, -1, leave), nil
}

// change counts a connection more or less of a user, and tells whether that
// was the first or the last.
func (p *presence) change(ctx context.Context, userID int64, by int, script *redis.Script) bool {
	order := &p.order[uint64(userID)%uint64(len(p.order))]
	order.Lock()
	defer order.Unlock()
	if !p.add(userID, by) {
		return false
	}
	elsewhere, err := p.run(ctx, script, userID).Bool()
	if err != nil {
		p.failures.Add(1)
		p.dirty.Store(true)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.forget(userID, time.Now())
	return !elsewhere
}

// add tells whether the user came to this node, or left it.
func (p *presence) add(userID int64, by int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.mine[userID]
	after := before + by
	switch {
	case after < 0:
		return false
	case after == 0:
		delete(p.mine, userID)
	default:
		p.mine[userID] = after
	}
	return before == 0 || after == 0
}

// onlineBatch is how many users one script looks for: Redis does nothing else
// meanwhile.
const onlineBatch = 1000

// Online implements chat.Presence. Of users who are connected to this node it
// asks nobody; what Redis says of others is believed for 2 s at most, unless
// they come to this node or leave it. Where Redis is away it knows of this
// node's. It returns no error.
func (p *presence) Online(ctx context.Context, ids []int64) (map[int64]bool, error) {
	found := make(map[int64]bool, len(ids))
	asked := time.Now()
	unknown := p.known(ids, found, asked)
	for len(unknown) > 0 {
		some := unknown[:min(len(unknown), onlineBatch)]
		unknown = unknown[len(some):]
		answer, err := p.run(ctx, online, some...).Int64Slice()
		if err == nil && len(answer) != len(some) {
			err = errors.New("an answer of another length")
		}
		if err != nil {
			p.failures.Add(1)
			break
		}
		p.mu.Lock()
		for i, id := range some {
			p.seen.put(id, answer[i] == 1, asked)
			if answer[i] == 1 {
				found[id] = true
			}
		}
		p.mu.Unlock()
	}
	return found, nil
}

// known puts into found what needs no question, and returns the rest.
func (p *presence) known(ids []int64, found map[int64]bool, now time.Time) (unknown []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, id := range ids {
		if p.mine[id] > 0 {
			found[id] = true
			continue
		}
		is, ok := p.seen.get(id, now)
		if is {
			found[id] = true
		}
		if !ok {
			unknown = append(unknown, id)
		}
	}
	return unknown
}

// presenceBeats keeps the node's users in Redis until the bus closes.
func (b *Bus) presenceBeats() {
	for {
		if err := b.beat(b.ctx); err != nil {
			b.presence.failures.Add(1)
		}
		if !sleep(b.ctx.Done(), b.presence.expiry/3) {
			return
		}
	}
}

// beat refreshes the node's entry, and writes it anew where Redis has lost it
// or has not got all of it.
func (p *presence) beat(ctx context.Context) error {
	count, err := p.run(ctx, beat).Int()
	if err != nil {
		p.dirty.Store(true)
		return err
	}
	p.mu.Lock()
	same := count == len(p.mine)
	p.mu.Unlock()
	if same && !p.dirty.Load() {
		return nil
	}
	return p.rewrite(ctx)
}

// rewrite replaces the node's users in Redis. A change that overtakes it is
// found by its number at the next beat.
func (p *presence) rewrite(ctx context.Context) error {
	p.dirty.Store(false)
	pipe := p.client.TxPipeline()
	pipe.Del(ctx, p.users())
	var some []any
	p.mu.Lock()
	for id := range p.mine {
		if some = append(some, strconv.FormatInt(id, 10)); len(some) == onlineBatch {
			pipe.SAdd(ctx, p.users(), some...)
			some = nil
		}
	}
	p.mu.Unlock()
	if len(some) > 0 {
		pipe.SAdd(ctx, p.users(), some...)
	}
	pipe.Expire(ctx, p.users(), p.expiry)
	_, err := pipe.Exec(ctx)
	if err != nil {
		p.dirty.Store(true)
	}
	return err
}

// quit takes the node off the presence.
func (p *presence) quit() error {
	ctx, cancel := context.WithTimeout(context.Background(), presenceWithin)
	defer cancel()
	pipe := p.client.TxPipeline()
	pipe.Del(ctx, p.users())
	pipe.ZRem(ctx, p.base+"nodes", p.node)
	_, err := pipe.Exec(ctx)
	return err
}
