package observe

import (
	"context"
	"database/sql"
	"time"

	"github.com/onemeter/onemeter/server/chat"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// State is what the owners of the server's parts say of themselves when
// metrics are collected.
type State struct {
	OnlineUsers int
	ActiveUsers int
	Connections int
	FramesSent  int64
	BytesSent   int64
	BytesRead   int64

	DB       sql.DBStats
	DBSystem string // sqlite or mysql: the mysql_* gauges are 0 where it is not mysql

	Redis  *PoolState // nil: there is none
	Bus    *BusState  // nil: the node is alone
	Caches []CacheState

	SlowQueries         int64
	RedisUsed, RedisMax int64 // bytes
	WebRTCPeers         int
	CallDevices         int
	TURN                TURNState // zero: there is none
}

// A PoolState is that of the connections to Redis. Those that are no state only
// grow.
type PoolState struct {
	Used, Idle, Pending int
	Max                 int // 0: not known
	Hits, Misses        uint32
	Timeouts, Stale     uint32
	Waited              time.Duration
}

// A BusState is that of the bus between nodes. Those that are no state only
// grow.
type BusState struct {
	Connected                                   bool
	Nodes, Queued                               int
	Lag                                         time.Duration
	Reconnects, Resumes                         uint64
	Published, Received, Lost, Dropped, Garbage uint64
}

// A CacheState is that of one cache. Those that are no state only grow.
type CacheState struct {
	Name    string
	Entries int
	Shared  *SharedCacheState // nil: in process only
}

// A SharedCacheState is what a cache has to do with Redis.
type SharedCacheState struct {
	Hits, Misses, Failures, Forgotten uint64
	Owed                              int
}

// A TURNState is that of the relay of calls. turn.Stats has the meaning of each.
type TURNState struct {
	Asked, Failed        int64 // allocations
	Allocations          int   // now
	ToPeers, FromPeers   int64 // bytes
	OverLimit, Forbidden int64 // packets dropped
	Denied               int64 // permissions
}

// Watch reads the state at every collection, and is called once. No number is
// kept here, so none can drift from what it counts.
func (o *Observer) Watch(read func() State) error {
	w := newWatcher(o)
	_, err := o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := read()
		w.clients(to, s)
		w.outside(to, s)
		w.database(to, s)
		w.turn(to, s.TURN)
		if s.Redis != nil {
			w.redis(to, *s.Redis)
		}
		if s.Bus != nil {
			w.bus(to, *s.Bus)
		}
		for _, c := range s.Caches {
			w.cache(to, c)
		}
		return nil
	}, o.ins.observed...)
	return err
}

// A watcher tells a State to the instruments, under labels made once.
type watcher struct {
	delay      *rollingMean
	ins        *instruments
	used, idle []metric.ObserveOption
	hit, miss  []metric.ObserveOption
	pools      *table[string, []metric.ObserveOption]
	conns      *table[[2]string, []metric.ObserveOption] // pool and state
	caches     *table[string, []metric.ObserveOption]
	lookups    *table[chat.CacheLookup, []metric.ObserveOption]
	directions *table[string, []metric.ObserveOption]
	reasons    *table[string, []metric.ObserveOption]
}

func newWatcher(o *Observer) *watcher {
	return &watcher{
		delay: &o.delay, ins: o.ins,
		used: observedWith(attribute.String("state", "used")),
		idle: observedWith(attribute.String("state", "idle")),
		hit:  observedWith(attribute.String("hit", "true")),
		miss: observedWith(attribute.String("hit", "false")),

		pools: observedBy(value("db.client.connection.pool.name")),
		conns: observedBy(func(c [2]string) []attribute.KeyValue {
			return []attribute.KeyValue{
				attribute.String("db.client.connection.pool.name", c[0]), attribute.String("db.client.connection.state", c[1]),
			}
		}),
		caches:  observedBy(value("cache")),
		lookups: observedBy(lookupAttrs),

		directions: observedBy(value("direction")),
		reasons:    observedBy(value("reason")),
	}
}

func (w *watcher) clients(to metric.Observer, s State) {
	to.ObserveInt64(w.ins.onlineUsers, int64(s.OnlineUsers))
	to.ObserveInt64(w.ins.activeUsers, int64(s.ActiveUsers))
	to.ObserveInt64(w.ins.connections, int64(s.Connections))
	to.ObserveInt64(w.ins.framesOut, s.FramesSent)
	to.ObserveInt64(w.ins.bytesOut, s.BytesSent)
	to.ObserveInt64(w.ins.bytesIn, s.BytesRead)
	to.ObserveFloat64(w.ins.deliveryDelay, w.delay.mean(time.Now()).Seconds())
}

func (w *watcher) outside(to metric.Observer, s State) {
	to.ObserveInt64(w.ins.mysqlSlow, s.SlowQueries)
	to.ObserveInt64(w.ins.redisMemory, s.RedisUsed)
	to.ObserveInt64(w.ins.redisMemoryMax, s.RedisMax)
	to.ObserveInt64(w.ins.webrtcActive, int64(s.WebRTCPeers))
	to.ObserveInt64(w.ins.callDevices, int64(s.CallDevices))
}

func (w *watcher) turn(to metric.Observer, s TURNState) {
	to.ObserveInt64(w.ins.turnAttempts, s.Asked)
	to.ObserveInt64(w.ins.turnFailures, s.Failed)
	to.ObserveInt64(w.ins.turnAllocations, int64(s.Allocations))
	to.ObserveInt64(w.ins.turnRelayed, s.ToPeers, w.directions.of("to_peer")...)
	to.ObserveInt64(w.ins.turnRelayed, s.FromPeers, w.directions.of("from_peer")...)
	to.ObserveInt64(w.ins.turnDropped, s.OverLimit, w.reasons.of("limit")...)
	to.ObserveInt64(w.ins.turnDropped, s.Forbidden, w.reasons.of("address")...)
	to.ObserveInt64(w.ins.turnDenied, s.Denied)
}

func (w *watcher) database(to metric.Observer, s State) {
	to.ObserveInt64(w.ins.dbOpen, int64(s.DB.InUse), w.used...)
	to.ObserveInt64(w.ins.dbOpen, int64(s.DB.Idle), w.idle...)
	to.ObserveFloat64(w.ins.dbWait, s.DB.WaitDuration.Seconds())
	w.pool(to, s.DBSystem, s.DB.InUse, s.DB.Idle, s.DB.MaxOpenConnections)
	var mysql sql.DBStats
	if s.DBSystem == "mysql" {
		mysql = s.DB
	}
	to.ObserveInt64(w.ins.mysqlActive, int64(mysql.InUse))
	to.ObserveInt64(w.ins.mysqlIdle, int64(mysql.Idle))
	to.ObserveInt64(w.ins.mysqlMax, int64(mysql.MaxOpenConnections))
}

// pool tells what the semantic conventions have of every pool.
func (w *watcher) pool(to metric.Observer, name string, used, idle, limit int) {
	to.ObserveInt64(w.ins.poolConnections, int64(used), w.conns.of([2]string{name, "used"})...)
	to.ObserveInt64(w.ins.poolConnections, int64(idle), w.conns.of([2]string{name, "idle"})...)
	if limit > 0 {
		to.ObserveInt64(w.ins.poolMax, int64(limit), w.pools.of(name)...)
	}
}

func (w *watcher) redis(to metric.Observer, s PoolState) {
	w.pool(to, "redis", s.Used, s.Idle, s.Max)
	name := w.pools.of("redis")
	to.ObserveInt64(w.ins.poolPending, int64(s.Pending), name...)
	to.ObserveInt64(w.ins.poolTimeouts, int64(s.Timeouts), name...)
	to.ObserveInt64(w.ins.redisRequests, int64(s.Hits), w.hit...)
	to.ObserveInt64(w.ins.redisRequests, int64(s.Misses), w.miss...)
	to.ObserveInt64(w.ins.redisStale, int64(s.Stale))
	to.ObserveFloat64(w.ins.redisWait, s.Waited.Seconds())
}

func (w *watcher) bus(to metric.Observer, s BusState) {
	var connected int64
	if s.Connected {
		connected = 1
	}
	to.ObserveInt64(w.ins.busConnected, connected)
	to.ObserveInt64(w.ins.busNodes, int64(s.Nodes))
	to.ObserveFloat64(w.ins.busLag, s.Lag.Seconds())
	to.ObserveInt64(w.ins.busQueued, int64(s.Queued))
	to.ObserveInt64(w.ins.busReconnects, int64(s.Reconnects))
	to.ObserveInt64(w.ins.busResumes, int64(s.Resumes))
	to.ObserveInt64(w.ins.busPublished, int64(s.Published))
	to.ObserveInt64(w.ins.busReceived, int64(s.Received))
	to.ObserveInt64(w.ins.busLost, int64(s.Lost))
	to.ObserveInt64(w.ins.busDropped, int64(s.Dropped))
	to.ObserveInt64(w.ins.busGarbage, int64(s.Garbage))
}

func (w *watcher) cache(to metric.Observer, s CacheState) {
	name := w.caches.of(s.Name)
	to.ObserveInt64(w.ins.cacheEntries, int64(s.Entries), name...)
	if s.Shared == nil {
		return
	}
	to.ObserveInt64(w.ins.cacheShared, int64(s.Shared.Hits), w.lookups.of(chat.CacheLookup{Cache: s.Name, Hit: true})...)
	to.ObserveInt64(w.ins.cacheShared, int64(s.Shared.Misses), w.lookups.of(chat.CacheLookup{Cache: s.Name})...)
	to.ObserveInt64(w.ins.cacheFailures, int64(s.Shared.Failures), name...)
	to.ObserveInt64(w.ins.cacheOwed, int64(s.Shared.Owed), name...)
	to.ObserveInt64(w.ins.cacheForgotten, int64(s.Shared.Forgotten), name...)
}
