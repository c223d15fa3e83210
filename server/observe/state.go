package observe

import (
	"database/sql"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/cache/rediscache"
	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"
	"github.com/onemeter/onemeter/server/redisconn"
	"github.com/onemeter/onemeter/server/turn"
	"github.com/onemeter/onemeter/server/ws"
)

// State has the numbers of the server's parts when metrics are collected.
type State struct {
	Sockets ws.Stats
	Chat    chat.Stats
	Calls   call.Stats
	TURN    turn.Stats // zero without a relay

	Reports       int64         // pending
	ReportsWait   time.Duration // age of the oldest pending report
	Deletions     int64         // deleted accounts of which something is left
	DeletionsWait time.Duration // age of the oldest of these deletions
	Unindexed     int64         // messages, about, that are not in the search index
	UnindexedWait time.Duration // age of the oldest of them
	FileBytes     int64         // of all files
	FileQuota     int64         // limit of FileBytes; 0: none

	Engine      string // sqlite or mysql
	DB          sql.DBStats
	SlowQueries int64 // of the database server

	Pool     *redis.PoolStats // nil without Redis
	PoolSize int              // 0: unknown
	Memory   redisconn.Memory
	Bus      *redisbus.Stats // nil on a single node
	Caches   []Cache
}

// A Cache is the state of one cache.
type Cache struct {
	Name    string
	Entries int               // values kept in process
	Shared  *rediscache.Stats // nil without Redis
}

// mysql returns the state of MySQL's connections. It is zero for another database.
func (s *State) mysql() sql.DBStats {
	if s.Engine != "mysql" {
		return sql.DBStats{}
	}
	return s.DB
}

// states creates the instruments that are read at collection, each with the function that reads it. There is one table
// for each part of the server.
func (t *maker) states(delay *rollingMean) {
	t.contract(delay)
	t.sockets()
	t.backlog()
	t.databases()
	t.bus()
	t.caches()
}

// contract creates the instruments of the metric contract, which every server has, with any database.
func (t *maker) contract(delay *rollingMean) {
	t.gauge("online.users.current", "{user}", "Users with at least one open WebSocket on this node.",
		one(func(s *State) int64 { return int64(s.Sockets.OnlineUsers) }))
	t.gauge("im.active.users.total", "{user}", "Users with an authenticated request on this node in the last 5 minutes.",
		one(func(s *State) int64 { return int64(s.Chat.ActiveUsers) }))
	t.gauge("webrtc.connections.active", "{peer}", "Peers in calls whose media connection is up.",
		one(func(s *State) int64 { return int64(s.Calls.Up) }))
	t.gauge("mysql.connections.active", "{connection}", "MySQL connections in use; 0 if the database is not MySQL.",
		one(func(s *State) int64 { return int64(s.mysql().InUse) }))
	t.gauge("mysql.connections.idle", "{connection}", "MySQL connections idle in the pool; 0 if the database is not MySQL.",
		one(func(s *State) int64 { return int64(s.mysql().Idle) }))
	t.gauge("mysql.connections.max", "{connection}", "Limit of the MySQL pool; 0 if the database is not MySQL.",
		one(func(s *State) int64 { return int64(s.mysql().MaxOpenConnections) }))
	t.counted("mysql.slow.queries", "{query}", "Slow_queries of the MySQL server.",
		one(func(s *State) int64 { return s.SlowQueries }))
	t.gauge("redis.memory.used", "By", "Memory that Redis uses; 0 without Redis.",
		one(func(s *State) int64 { return s.Memory.Used }))
	t.gauge("redis.memory.max", "By", "Memory that Redis may use; 0 without Redis.",
		one(func(s *State) int64 { return s.Memory.Max }))
	t.floatGauge("message.delivery.delay", "s", "Mean time from accepting a message to writing it to a receiver's socket, over the last minute.",
		one(func(*State) float64 { return delay.mean(time.Now()).Seconds() }))
	t.counted("turn.relay.attempts", "{allocation}", "Allocations that clients with a credential requested from the TURN relay; the challenge before is not counted.",
		one(func(s *State) int64 { return s.TURN.Asked }))
	t.counted("turn.relay.failures", "{allocation}", "Allocations that the TURN relay refused: wrong or expired credential, user's limit reached, no free port.",
		one(func(s *State) int64 { return s.TURN.Failed }))
}

// sockets creates the instruments of WebSockets, calls and the relay.
func (t *maker) sockets() {
	t.gauge("im.connections.active", "{connection}", "Open WebSockets on this node.",
		one(func(s *State) int64 { return int64(s.Sockets.Connections) }))
	t.counted("im.frames.sent", "{frame}", "Frames of all types written to clients.",
		one(func(s *State) int64 { return s.Sockets.FramesWritten }))
	t.counted("im.frames.sent.size", "By", "Bytes written to WebSockets, including framing.",
		one(func(s *State) int64 { return s.Sockets.BytesWritten }))
	t.counted("im.frames.received.size", "By", "Bytes of frames that clients sent.",
		one(func(s *State) int64 { return s.Sockets.BytesRead }))
	t.gauge("im.call.devices", "{connection}", "WebSockets of this node that are in a call.",
		one(func(s *State) int64 { return int64(s.Calls.Devices) }))
	t.gauge("im.turn.allocations.active", "{allocation}", "Current allocations of the TURN relay.",
		one(func(s *State) int64 { return int64(s.TURN.Allocations) }))
	t.counted("im.turn.relayed", "By", "Bytes relayed between clients and their peers.",
		func(s *State, put put[int64]) { put(s.TURN.ToPeers, "to_peer"); put(s.TURN.FromPeers, "from_peer") }, byDirection)
	t.counted("im.turn.packets.dropped", "{packet}", "Packets not relayed: above the user's limit, or to a forbidden address.",
		func(s *State, put put[int64]) { put(s.TURN.OverLimit, "limit"); put(s.TURN.Forbidden, "address") }, byDrop)
	t.counted("im.turn.permissions.denied", "{permission}", "Peers that clients requested but may not reach, including those in private networks, which every client requests.",
		one(func(s *State) int64 { return s.TURN.Denied }))
}

// backlog creates the instruments of what waits to be done, and of what fills up. They are equal on all nodes, because
// they come from the database.
func (t *maker) backlog() {
	t.gauge("im.reports.pending", "{report}", "Pending reports; the same on every node.",
		one(func(s *State) int64 { return s.Reports }))
	t.floatGauge("im.reports.wait", "s", "Age of the oldest pending report; the same on every node, and 0 if there is none.",
		one(func(s *State) float64 { return s.ReportsWait.Seconds() }))
	t.gauge("im.deletions.pending", "{account}", "Deleted accounts of which data is left to remove; the same on every node.",
		one(func(s *State) int64 { return s.Deletions }))
	t.floatGauge("im.deletions.wait", "s", "Age of the oldest unfinished deletion of an account; the same on every node, and 0 if there is none.",
		one(func(s *State) float64 { return s.DeletionsWait.Seconds() }))
	t.gauge("im.search.behind", "{message}", "Approximate number of messages that are not indexed yet; the same on every node. Searches read them in the meantime.",
		one(func(s *State) int64 { return s.Unindexed }))
	t.floatGauge("im.search.wait", "s", "Age of the oldest message that is not indexed yet; the same on every node, and 0 if there is none.",
		one(func(s *State) float64 { return s.UnindexedWait.Seconds() }))
	t.gauge("im.files.size", "By", "Bytes of all files; the same on every node.",
		one(func(s *State) int64 { return s.FileBytes }))
	t.gauge("im.files.quota", "By", "Limit for the bytes of all files (--total-quota); 0 if there is none.",
		one(func(s *State) int64 { return s.FileQuota }))
}

// databases creates the instruments of the database and of connection pools, some with names of the semantic
// conventions.
func (t *maker) databases() {
	t.gauge("im.db.connections", "{connection}", "Open database connections, by state.",
		func(s *State, put put[int64]) { put(int64(s.DB.InUse), "used"); put(int64(s.DB.Idle), "idle") }, byState)
	t.floatCounted("im.db.connections.wait", "s", "Time spent waiting for a database connection.",
		one(func(s *State) float64 { return s.DB.WaitDuration.Seconds() }))
	t.upDown("db.client.connection.count", "{connection}", "Open connections of a pool, by state.",
		func(s *State, put put[int64]) {
			put(int64(s.DB.InUse), s.Engine, "used")
			put(int64(s.DB.Idle), s.Engine, "idle")
			if p := s.Pool; p != nil {
				put(int64(p.TotalConns-p.IdleConns), "redis", "used")
				put(int64(p.IdleConns), "redis", "idle")
			}
		}, byPool, byPoolState)
	t.upDown("db.client.connection.max", "{connection}", "Limit of a pool; absent for a Redis cluster, whose pool grows with it.",
		func(s *State, put put[int64]) {
			if s.DB.MaxOpenConnections > 0 {
				put(int64(s.DB.MaxOpenConnections), s.Engine)
			}
			if s.PoolSize > 0 {
				put(int64(s.PoolSize), "redis")
			}
		}, byPool)
	t.upDown("db.client.connection.pending_requests", "{request}", "Commands that wait for a connection now; only for Redis.",
		ofPool(func(p *redis.PoolStats) int64 { return int64(p.PendingRequests) }, "redis"), byPool)
	t.counted("db.client.connection.timeouts", "{timeout}", "Commands that timed out waiting for a connection; only for Redis.",
		ofPool(func(p *redis.PoolStats) int64 { return int64(p.Timeouts) }, "redis"), byPool)
	t.counted("im.redis.connections.requests", "{request}", "Connections requested from the pool of Redis; a hit was idle, a miss had to be opened.",
		func(s *State, put put[int64]) {
			if s.Pool != nil {
				put(int64(s.Pool.Hits), "true")
				put(int64(s.Pool.Misses), "false")
			}
		}, byHit)
	t.counted("im.redis.connections.stale", "{connection}", "Connections to Redis that were found dead or too old, and closed.",
		ofPool(func(p *redis.PoolStats) int64 { return int64(p.StaleConns) }))
	t.floatCounted("im.redis.connections.wait", "s", "Time spent waiting for a connection to Redis.",
		ofPool(func(p *redis.PoolStats) float64 { return time.Duration(p.WaitDurationNs).Seconds() }))
}

// bus creates the instruments of the bus between nodes.
func (t *maker) bus() {
	t.gauge("im.bus.connected", "{subscription}", "1 while this node hears the others, 0 while it does not.",
		ofBus(func(b *redisbus.Stats) int64 {
			if b.Connected {
				return 1
			}
			return 0
		}))
	t.gauge("im.bus.nodes", "{node}", "Other nodes that are heard.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Nodes) }))
	t.floatGauge("im.bus.lag", "s", "Time from publishing to receiving this node's last heartbeat.",
		ofBus(func(b *redisbus.Stats) float64 { return b.Lag.Seconds() }))
	t.gauge("im.bus.queued", "{event}", "Events that wait for Redis.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Queued) }))
	t.counted("im.bus.reconnects", "{reconnection}", "Subscriptions after the first.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Reconnects) }))
	t.counted("im.bus.resumes", "{resumption}", "How often this node had missed events and loaded them from the database.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Resumes) }))
	t.counted("im.bus.events.published", "{event}", "Events and signals that Redis accepted.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Published) }))
	t.counted("im.bus.events.received", "{event}", "Events received from other nodes.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Received) }))
	t.counted("im.bus.events.lost", "{event}", "Events and signals of other nodes that did not arrive; their messages are loaded from the database.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Lost) }))
	t.counted("im.bus.events.dropped", "{event}", "Events and signals dropped because the queue for Redis was full; other nodes load from the database.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Dropped) }))
	t.counted("im.bus.events.garbage", "{event}", "Messages on the bus that no node of this version sent.",
		ofBus(func(b *redisbus.Stats) int64 { return int64(b.Garbage) }))
}

// caches creates the instruments of the caches.
func (t *maker) caches() {
	t.gauge("im.cache.entries", "{entry}", "Values kept in process.",
		func(s *State, put put[int64]) {
			for _, c := range s.Caches {
				put(int64(c.Entries), c.Name)
			}
		}, byCache)
	t.counted("im.cache.shared.lookups", "{lookup}", "Lookups in Redis, for values that this node did not have in process.",
		func(s *State, put put[int64]) {
			for _, c := range s.Caches {
				if c.Shared != nil {
					put(int64(c.Shared.Hits), c.Name, "true")
					put(int64(c.Shared.Misses), c.Name, "false")
				}
			}
		}, byCache, byHit)
	t.counted("im.cache.shared.failures", "{failure}", "Cache lookups that Redis did not answer; the value came from the database.",
		ofShared(func(c *rediscache.Stats) int64 { return int64(c.Failures) }), byCache)
	t.gauge("im.cache.shared.owed", "{drop}", "Invalidations that Redis has not accepted yet; until then, other nodes may read the old value there.",
		ofShared(func(c *rediscache.Stats) int64 { return int64(c.Owed) }), byCache)
	t.counted("im.cache.shared.forgotten", "{drop}", "Invalidations given up because too many were pending; the old values stay until they expire.",
		ofShared(func(c *rediscache.Stats) int64 { return int64(c.Forgotten) }), byCache)
}
