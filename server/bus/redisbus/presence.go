package redisbus

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/chat"
)

// A presence knows the users connected to this node, and asks Redis for those of other nodes. Redis keeps a set of
// users for each node, and the time at which each node expires unless it beats: if a node is killed, its users expire
// with it. Their names stay until another node has reported them offline.
type presence struct {
	client   redis.UniversalClient
	node     string
	expiry   time.Duration
	base     string // prefix of the keys; in a cluster they share a slot
	failures atomic.Uint64
	dirty    atomic.Bool // Redis may differ from mine

	changing sync.RWMutex    // write-locked while the node's users are rewritten in Redis, so that no change gets lost
	order    [256]sync.Mutex // by user, so that changes of one user reach Redis in order

	mu   sync.Mutex
	mine map[int64]int // number of connections by user; users without any have no entry
	seen recent

	steadySince time.Time // since then no beat was missing; zero: the last one was
	mourned     bool      // another node has reported this node's users offline
}

func newPresence(client redis.UniversalClient, node string, cfg Config) *presence {
	return &presence{
		client: client, node: node, expiry: cfg.Expiry, base: "{" + cfg.Prefix + "online}:",
		mine: make(map[int64]int),
	}
}

// presenceWithin bounds a command to Redis, because a client is waiting to connect.
const presenceWithin = 500 * time.Millisecond

// keepFor is how long the users of nodes that are gone wait to be reported: all nodes may be down at once.
const keepFor = 24 * time.Hour

// Scripts see all nodes at one moment, by the clock of Redis. KEYS: the names of nodes, by expiry; the users of this
// node; the nodes whose users were reported offline. ARGV: the prefix of keys, this node, the expiry in milliseconds,
// users.
var (
	enter = redis.NewScript(others + `
		redis.call('SADD', KEYS[2], ARGV[4])
		redis.call('EXPIRE', KEYS[2], keep)
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
		local steady = live(ARGV[2])
		redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[2])
		for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, keep) end
		local mourned = redis.call('ZSCORE', KEYS[3], ARGV[2])
		return {redis.call('SCARD', KEYS[2]), steady and 1 or 0, mourned and 1 or 0}`)
)

var others = `
	local keep = ` + strconv.Itoa(int(keepFor.Seconds())) + `
	local now = redis.call('TIME')
	now = now[1] * 1000 + math.floor(now[2] / 1000)
	local function live(node)
		return (tonumber(redis.call('ZSCORE', KEYS[1], node)) or 0) >= now
	end
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

func (p *presence) nodes() string              { return p.base + "nodes" }
func (p *presence) usersOf(node string) string { return p.base + "of:" + node }
func (p *presence) mourning() string           { return p.base + "mourned" }

func (p *presence) run(ctx context.Context, s *redis.Script, users ...int64) *redis.Cmd {
	return p.runFor(ctx, s, p.node, users...)
}

// runFor runs a script for a node.
func (p *presence) runFor(ctx context.Context, s *redis.Script, node string, users ...int64) *redis.Cmd {
	args := []any{p.usersOf(""), node, p.expiry.Milliseconds()}
	for _, id := range users {
		args = append(args, id)
	}
	// A script is not interrupted when the caller gives up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), presenceWithin)
	defer cancel()
	return s.Run(ctx, p.client, []string{p.nodes(), p.usersOf(node), p.mourning()}, args...)
}

// Connected implements chat.Presence. While Redis is unreachable, only connections to this node count. The error is
// always nil.
func (p *presence) Connected(ctx context.Context, userID int64) (first bool, err error) {
	return p.change(ctx, userID, 1, enter), nil
}

// Disconnected implements chat.Presence. While Redis is unreachable, only connections to this node count. For a user
// without connections, last is false. The error is always nil.
func (p *presence) Disconnected(ctx context.Context, userID int64) (last bool, err error) {
	return p.change(ctx, userID, -1, leave), nil
}

// change adds or removes a connection of a user, and reports whether it was the first or the last.
func (p *presence) change(ctx context.Context, userID int64, by int, script *redis.Script) bool {
	order := &p.order[uint64(userID)%uint64(len(p.order))]
	order.Lock()
	defer order.Unlock()
	p.changing.RLock()
	defer p.changing.RUnlock()
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

// add reports whether it was the user's first or last connection to this node.
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

// onlineBatch is how many users one script looks up: Redis does nothing else meanwhile.
const onlineBatch = 1000

// Online implements chat.Presence. It knows users connected to this node without asking Redis. It caches answers
// about others for at most 2 s, and until an event reports a change. While Redis is unreachable, it knows only this
// node's users and cached ones. The error is always nil.
func (p *presence) Online(ctx context.Context, ids []int64) (map[int64]bool, error) {
	found := make(map[int64]bool, len(ids))
	asked := time.Now()
	unknown := p.known(ids, found, asked)
	for len(unknown) > 0 {
		some := unknown[:min(len(unknown), onlineBatch)]
		unknown = unknown[len(some):]
		answer, err := p.run(ctx, online, some...).Int64Slice()
		if err == nil && len(answer) != len(some) {
			err = errors.New("redis: the script online returned a wrong number of values")
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

// live lists the keys of the users of all live nodes.
var live = redis.NewScript(others + `
	local keys = {}
	for i, node in ipairs(nodes()) do keys[i] = ARGV[1] .. node end
	return keys`)

// Everyone implements chat.Presence. It reads Redis in pieces, so that others are served in between: users who come
// or go meanwhile may be missing. If Redis is away, it lists this node's users. It returns no error.
func (p *presence) Everyone(ctx context.Context) ([]int64, error) {
	found := make(map[int64]bool)
	for _, id := range p.here() {
		found[id] = true
	}
	keys, err := p.run(ctx, live).StringSlice()
	for _, key := range keys {
		if err == nil {
			err = p.scan(ctx, key, found)
		}
	}
	if err != nil {
		p.failures.Add(1)
	}
	return slices.Collect(maps.Keys(found)), nil
}

// scan adds the users under a key to found.
func (p *presence) scan(ctx context.Context, key string, found map[int64]bool) error {
	for cursor := uint64(0); ; {
		names, next, err := p.client.SScan(ctx, key, cursor, "", onlineBatch).Result()
		if err != nil {
			return err
		}
		for _, name := range names {
			if id, err := strconv.ParseInt(name, 10, 64); err == nil {
				found[id] = true
			}
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// told forgets the cached answer about a user when an event reports a change: who gets the event and then asks gets
// the same answer.
func (p *presence) told(e chat.Event) {
	payload, _ := e.Payload.(json.RawMessage)
	var of chat.PresenceChanged
	if json.Unmarshal(payload, &of) != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.forget(of.UserID, time.Now())
}

// missed forgets all cached answers, because events that were missed may have reported changes.
func (p *presence) missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen.forgetAll(time.Now())
}

// known adds to found what is known without asking Redis, and returns the other ids.
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

// beat extends the node's expiry. It rewrites the node's users if Redis has lost some or never got them.
func (p *presence) beat(ctx context.Context) error {
	answer, err := p.run(ctx, beat).Int64Slice()
	if err == nil && len(answer) != 3 {
		err = errors.New("redis: the script beat returned a wrong number of values")
	}
	if err != nil {
		p.dirty.Store(true)
		p.mu.Lock()
		p.steadySince = time.Time{}
		p.mu.Unlock()
		return err
	}
	count, steady, mourned := answer[0], answer[1] == 1, answer[2] == 1
	p.mu.Lock()
	if !steady || p.steadySince.IsZero() {
		p.steadySince = time.Now()
	}
	p.mourned = mourned
	p.mu.Unlock()
	if p.counts(count) && !p.dirty.Load() {
		return nil
	}
	p.changing.Lock()
	defer p.changing.Unlock()
	if !p.dirty.Load() { // the difference may have been a change on its way to Redis
		answer, err = p.run(ctx, beat).Int64Slice()
		if err == nil && len(answer) == 3 && p.counts(answer[0]) {
			return nil
		}
	}
	return p.rewrite(ctx)
}

// counts reports whether this node has so many users.
func (p *presence) counts(users int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return users == int64(len(p.mine))
}

// rewrite replaces the node's users in Redis. Only beat calls it, with changing write-locked.
func (p *presence) rewrite(ctx context.Context) error {
	p.dirty.Store(false)
	pipe := p.client.TxPipeline()
	key := p.usersOf(p.node)
	pipe.Del(ctx, key)
	for some := range slices.Chunk(p.here(), onlineBatch) {
		names := make([]any, len(some))
		for i, id := range some {
			names[i] = strconv.FormatInt(id, 10)
		}
		pipe.SAdd(ctx, key, names...)
	}
	pipe.Expire(ctx, key, keepFor)
	_, err := pipe.Exec(ctx)
	if err != nil {
		p.dirty.Store(true)
	}
	return err
}

// here returns the users of this node.
func (p *presence) here() []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.mine))
}

// quit removes the node from the presence. If users are still connected, because they were cut off, the other nodes
// report them.
func (p *presence) quit() error {
	if len(p.here()) > 0 {
		return p.run(context.Background(), expire).Err()
	}
	ctx, cancel := context.WithTimeout(context.Background(), presenceWithin)
	defer cancel()
	pipe := p.client.TxPipeline()
	pipe.Del(ctx, p.usersOf(p.node))
	pipe.ZRem(ctx, p.nodes(), p.node)
	pipe.ZRem(ctx, p.mourning(), p.node)
	_, err := pipe.Exec(ctx)
	return err
}
