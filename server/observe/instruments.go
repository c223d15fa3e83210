package observe

import (
	"errors"

	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"

	"go.opentelemetry.io/otel/metric"
)

// Bucket boundaries that the metric contract fixes, in seconds.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	queryBuckets   = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1}
)

// operationBuckets are those that the semantic conventions advise, in seconds.
var operationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}

// Boundaries of our own histograms.
var (
	deliveryBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10} // seconds
	lifetimeBuckets = []float64{1, 10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600}                      // seconds
	setupBuckets    = []float64{.1, .25, .5, 1, 2.5, 5, 10, 20, 30, 45}                               // seconds
	batchBuckets    = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}                                     // messages
)

// instruments is the table of every instrument of the server. The first block
// is the metric contract, which dashboards and alerts ask for by name: the
// exporter turns "http.requests" into http_requests_total, and so on.
type instruments struct {
	httpRequests   metric.Int64Counter
	httpDuration   metric.Float64Histogram
	messagesSent   metric.Int64Counter
	onlineUsers    metric.Int64ObservableGauge
	activeUsers    metric.Int64ObservableGauge
	queryDuration  metric.Float64Histogram
	cacheHits      metric.Int64Counter
	cacheMisses    metric.Int64Counter
	webrtcActive   metric.Int64ObservableGauge
	mysqlActive    metric.Int64ObservableGauge
	mysqlIdle      metric.Int64ObservableGauge
	mysqlMax       metric.Int64ObservableGauge
	mysqlSlow      metric.Int64ObservableCounter
	redisMemory    metric.Int64ObservableGauge
	redisMemoryMax metric.Int64ObservableGauge
	deliveryDelay  metric.Float64ObservableGauge
	turnAttempts   metric.Int64ObservableCounter
	turnFailures   metric.Int64ObservableCounter

	deliveries       metric.Int64Counter
	deliveryDuration metric.Float64Histogram
	dropped          metric.Int64Counter
	refused          metric.Int64Counter
	batchSize        metric.Int64Histogram
	commitDuration   metric.Float64Histogram
	commitFailures   metric.Int64Counter
	publishFailures  metric.Int64Counter
	recovered        metric.Int64Counter
	recoveryFailures metric.Int64Counter
	cacheLookups     metric.Int64Counter
	loginsRejected   metric.Int64Counter
	uploadBytes      metric.Int64Counter
	panics           metric.Int64Counter
	connections      metric.Int64ObservableGauge
	connLifetime     metric.Float64Histogram
	slowClients      metric.Int64Counter
	framesIn         metric.Int64Counter
	framesOut        metric.Int64ObservableCounter
	framesRefused    metric.Int64Counter
	bytesOut         metric.Int64ObservableCounter
	bytesIn          metric.Int64ObservableCounter
	callsStarted     metric.Int64Counter
	callsEnded       metric.Int64Counter
	callSetup        metric.Float64Histogram
	callDuration     metric.Float64Histogram
	callDevices      metric.Int64ObservableGauge
	dbOpen           metric.Int64ObservableGauge
	dbWait           metric.Float64ObservableCounter

	// Of the database's and Redis's clients, named as the semantic conventions have it.
	operationDuration metric.Float64Histogram
	poolConnections   metric.Int64ObservableUpDownCounter
	poolMax           metric.Int64ObservableUpDownCounter
	poolPending       metric.Int64ObservableUpDownCounter
	poolTimeouts      metric.Int64ObservableCounter

	redisRequests metric.Int64ObservableCounter
	redisStale    metric.Int64ObservableCounter
	redisWait     metric.Float64ObservableCounter

	busConnected  metric.Int64ObservableGauge
	busNodes      metric.Int64ObservableGauge
	busLag        metric.Float64ObservableGauge
	busQueued     metric.Int64ObservableGauge
	busReconnects metric.Int64ObservableCounter
	busResumes    metric.Int64ObservableCounter
	busPublished  metric.Int64ObservableCounter
	busReceived   metric.Int64ObservableCounter
	busLost       metric.Int64ObservableCounter
	busDropped    metric.Int64ObservableCounter
	busGarbage    metric.Int64ObservableCounter

	cacheEntries   metric.Int64ObservableGauge
	cacheShared    metric.Int64ObservableCounter
	cacheFailures  metric.Int64ObservableCounter
	cacheOwed      metric.Int64ObservableGauge
	cacheForgotten metric.Int64ObservableCounter

	turnAllocations metric.Int64ObservableGauge
	turnRelayed     metric.Int64ObservableCounter
	turnDropped     metric.Int64ObservableCounter
	turnDenied      metric.Int64ObservableCounter

	rows     map[string]row // by name
	observed []metric.Observable
}

// Labels, and which values they have. None comes from a client.
var (
	byMethod      = label{key: "method", from: "HTTP's methods, others being `_OTHER`"}
	byPath        = label{key: "path", from: "route templates, others being `" + unmatched + "`"}
	byStatus      = label{key: "status", from: "HTTP's, three digits"}
	byOperation   = label{key: "operation", from: "the first word of a statement of the server's own"}
	byTable       = label{key: "table", from: "tables of the schema, or `" + noTable + "`"}
	byKind        = oneOf("reason", chat.KindInvalid, chat.KindUnauthenticated, chat.KindForbidden, chat.KindNotFound, chat.KindConflict, chat.KindTooLarge, chat.KindRateLimited, chat.KindUnavailable, chat.KindCancelled, chat.KindInternal)
	byAttempt     = oneOf("operation", "login", "register")
	byCache       = oneOf("cache", "session", "membership", "direct", "user")
	byHit         = oneOf("hit", "true", "false")
	byState       = oneOf("state", "used", "idle")
	byEnding      = label{key: "reason", from: "the constants of ws.Reason"}
	byFrame       = label{key: "type", from: "the types that API.md lists for clients, others being `other`"}
	byCode        = label{key: "code", from: "the constants of ws.Code and chat.Kind"}
	byCallType    = oneOf("type", call.Audio, call.Video)
	byCallEnd     = oneOf("reason", call.UserHangup, call.UserBusy, call.UserRejected, call.NetworkError, call.Timeout, call.ServerError)
	byCallPhase   = oneOf("phase", phaseAnswer, phaseMedia)
	byDBSystem    = oneOf("db.system.name", "sqlite", "mysql", "redis")
	byDBOperation = label{key: "db.operation.name", from: "as operation of db.query.duration; of Redis, the server's own commands, `PIPELINE`, and `PIPELINE` or `MULTI` before a command"}
	byCollection  = label{key: "db.collection.name", from: "as table of db.query.duration; not of Redis"}
	byError       = label{key: "error.type", from: "the words of sqlstore.ErrorType; of Redis, " + redisErrorTypes() + "; only where the operation failed"}
	byPool        = oneOf("db.client.connection.pool.name", "sqlite", "mysql", "redis")
	byDirection   = oneOf("direction", "to_peer", "from_peer")
	byDrop        = oneOf("reason", "limit", "address")
	byPoolState   = oneOf("db.client.connection.state", "used", "idle")
)

func newInstruments(m metric.Meter) (*instruments, error) {
	t := maker{meter: m, rows: make(map[string]row)}
	ins := &instruments{
		httpRequests:   t.counter("http.requests", "{request}", "HTTP responses, by method, route template and status.", byMethod, byPath, byStatus),
		httpDuration:   t.histogram("http.request.duration", "s", "Time to answer an HTTP request, WebSockets apart.", requestBuckets, byMethod, byPath, byStatus),
		messagesSent:   t.counter("messages.sent", "{message}", "Messages accepted and stored; a retry is not counted again."),
		onlineUsers:    t.gauge("online.users.current", "{user}", "Users with at least one open WebSocket on this node."),
		activeUsers:    t.gauge("im.active.users.total", "{user}", "Users who did anything authenticated in the last 5 minutes on this node."),
		queryDuration:  t.histogram("db.query.duration", "s", "Time of a statement in the database, by operation and table.", queryBuckets, byOperation, byTable),
		cacheHits:      t.counter("redis.cache.hits", "{lookup}", "Cache lookups that found something, in Redis or in process."),
		cacheMisses:    t.counter("redis.cache.misses", "{lookup}", "Cache lookups that went on to the database."),
		webrtcActive:   t.gauge("webrtc.connections.active", "{peer}", "Peers in calls whose media connection is up."),
		mysqlActive:    t.gauge("mysql.connections.active", "{connection}", "MySQL connections in use; 0 where the database is not MySQL."),
		mysqlIdle:      t.gauge("mysql.connections.idle", "{connection}", "MySQL connections idle in the pool; 0 where the database is not MySQL."),
		mysqlMax:       t.gauge("mysql.connections.max", "{connection}", "Limit of the MySQL pool; 0 where the database is not MySQL."),
		mysqlSlow:      t.observedCounter("mysql.slow.queries", "{query}", "Slow_queries of the MySQL server."),
		redisMemory:    t.gauge("redis.memory.used", "By", "Memory that Redis uses; 0 where there is no Redis."),
		redisMemoryMax: t.gauge("redis.memory.max", "By", "Memory that Redis may use; 0 where there is no Redis."),
		deliveryDelay:  t.floatGauge("message.delivery.delay", "s", "Mean time from accepting a message to writing it to a receiver's socket, over the last minute."),
		turnAttempts:   t.observedCounter("turn.relay.attempts", "{allocation}", "Allocations asked of the TURN relay by whoever gave a credential; the challenge before it is not counted."),
		turnFailures:   t.observedCounter("turn.relay.failures", "{allocation}", "Allocations that the TURN relay refused or failed: a credential that is wrong or has ended, a limit of the user, no free port."),

		deliveries:       t.counter("im.message.deliveries", "{delivery}", "New messages written to a socket of a receiver."),
		deliveryDuration: t.histogram("im.message.delivery.duration", "s", "Time from accepting a message to writing it to the last of its receivers' sockets; one value a message.", deliveryBuckets),
		dropped:          t.counter("im.message.deliveries.dropped", "{delivery}", "New messages that a connection did not get because it was cut off; its client syncs."),
		refused:          t.counter("im.messages.refused", "{message}", "Messages that were not accepted, by reason.", byKind),
		batchSize:        t.intHistogram("im.message.batch.size", "{message}", "Messages that shared a transaction, retries included.", batchBuckets),
		commitDuration:   t.histogram("im.message.commit.duration", "s", "Time of a transaction that stored messages.", queryBuckets),
		commitFailures:   t.counter("im.message.commit.failures", "{transaction}", "Transactions that should have stored messages, and failed; their senders were told."),
		publishFailures:  t.counter("im.bus.failures", "{event}", "Events that were not announced, by the bus or for want of the database; clients sync."),
		recovered:        t.counter("im.messages.recovered", "{message}", "New messages that the bus did not bring, loaded from the database."),
		recoveryFailures: t.counter("im.messages.recovery.failures", "{failure}", "Times that missing messages could not be loaded; clients sync."),
		cacheLookups:     t.counter("im.cache.lookups", "{lookup}", "Cache lookups, by cache and result.", byCache, byHit),
		loginsRejected:   t.counter("im.logins.rejected", "{attempt}", "Logins and registrations turned away, by operation and reason.", byAttempt, byKind),
		uploadBytes:      t.counter("im.upload", "By", "Bytes of files stored."),
		panics:           t.counter("im.http.panics", "{panic}", "Handlers that panicked; each answered 500."),
		connections:      t.gauge("im.connections.active", "{connection}", "Open WebSockets on this node."),
		connLifetime:     t.histogram("im.connection.duration", "s", "How long a WebSocket was open, by how it ended.", lifetimeBuckets, byEnding),
		slowClients:      t.counter("im.connections.slow", "{connection}", "Connections cut off because their client did not read."),
		framesIn:         t.counter("im.frames.received", "{frame}", "Frames that clients sent, by type.", byFrame),
		framesOut:        t.observedCounter("im.frames.sent", "{frame}", "Frames written to clients, of every type."),
		framesRefused:    t.counter("im.frames.refused", "{frame}", "Frames answered with an error frame, by its code.", byCode),
		bytesOut:         t.observedCounter("im.frames.sent.size", "By", "Bytes written to WebSockets, framing included."),
		bytesIn:          t.observedCounter("im.frames.received.size", "By", "Bytes of frames that clients sent."),
		callsStarted:     t.counter("im.call.started", "{call}", "Calls that somebody began, on this node.", byCallType),
		callsEnded:       t.counter("im.call.ended", "{call}", "Calls that this node ended, by reason; each is ended by one node.", byCallEnd),
		callSetup:        t.histogram("im.call.setup.duration", "s", "Time from the offer of a call to its answer, and from there to media.", setupBuckets, byCallPhase),
		callDuration:     t.histogram("im.call.duration", "s", "Time from media to the end of a call; calls without media are not in it.", lifetimeBuckets, byCallEnd),
		callDevices:      t.gauge("im.call.devices", "{connection}", "WebSockets of this node that are in a call."),
		dbOpen:           t.gauge("im.db.connections", "{connection}", "Open database connections, by state.", byState),
		dbWait:           t.observedFloatCounter("im.db.connections.wait", "s", "Time spent waiting for a database connection."),

		operationDuration: t.histogram("db.client.operation.duration", "s", "Time of a statement in the database, or of a command or pipeline in Redis.", operationBuckets, byDBSystem, byDBOperation, byCollection, byError),
		poolConnections:   t.upDown("db.client.connection.count", "{connection}", "Open connections of a pool, by state.", byPool, byPoolState),
		poolMax:           t.upDown("db.client.connection.max", "{connection}", "Most connections that a pool may open; not told of a Redis cluster, whose pool grows with it.", byPool),
		poolPending:       t.upDown("db.client.connection.pending_requests", "{request}", "Commands that wait for a connection now; of Redis only.", byPool),
		poolTimeouts:      t.observedCounter("db.client.connection.timeouts", "{timeout}", "Commands that waited for a connection in vain; of Redis only.", byPool),

		redisRequests: t.observedCounter("im.redis.connections.requests", "{request}", "Connections asked of the pool of Redis; a hit is one that was idle, a miss had to be made.", byHit),
		redisStale:    t.observedCounter("im.redis.connections.stale", "{connection}", "Connections to Redis that were found dead or too old, and closed."),
		redisWait:     t.observedFloatCounter("im.redis.connections.wait", "s", "Time spent waiting for a connection to Redis."),

		busConnected:  t.gauge("im.bus.connected", "{subscription}", "1 while this node hears the others, 0 while it does not."),
		busNodes:      t.gauge("im.bus.nodes", "{node}", "Other nodes that are heard."),
		busLag:        t.floatGauge("im.bus.lag", "s", "Time from publishing to receipt, of this node's last beat."),
		busQueued:     t.gauge("im.bus.queued", "{event}", "Events that wait for Redis."),
		busReconnects: t.observedCounter("im.bus.reconnects", "{reconnection}", "Subscriptions after the first."),
		busResumes:    t.observedCounter("im.bus.resumes", "{resumption}", "Times that something had been missed, and was made up for from the database."),
		busPublished:  t.observedCounter("im.bus.events.published", "{event}", "Events and signals that Redis took."),
		busReceived:   t.observedCounter("im.bus.events.received", "{event}", "Events of other nodes."),
		busLost:       t.observedCounter("im.bus.events.lost", "{event}", "Events and signals of other nodes that did not come; what they told is loaded from the database."),
		busDropped:    t.observedCounter("im.bus.events.dropped", "{event}", "Events and signals given up because the queue for Redis was full; other nodes load from the database."),
		busGarbage:    t.observedCounter("im.bus.events.garbage", "{event}", "What came over the bus and no node of this version wrote."),

		cacheEntries:   t.gauge("im.cache.entries", "{entry}", "Values kept in process.", byCache),
		cacheShared:    t.observedCounter("im.cache.shared.lookups", "{lookup}", "Values looked for in Redis, since this node did not hold them.", byCache, byHit),
		cacheFailures:  t.observedCounter("im.cache.shared.failures", "{failure}", "Questions of the cache that Redis did not answer; the value came from the database.", byCache),
		cacheOwed:      t.gauge("im.cache.shared.owed", "{drop}", "Drops that Redis has not taken yet; until then other nodes may read the old value there.", byCache),
		cacheForgotten: t.observedCounter("im.cache.shared.forgotten", "{drop}", "Drops given up since too many were owed; the old values stay for the TTL at most.", byCache),

		turnAllocations: t.gauge("im.turn.allocations.active", "{allocation}", "Allocations that the TURN relay has now."),
		turnRelayed:     t.observedCounter("im.turn.relayed", "By", "Bytes relayed between clients and their peers.", byDirection),
		turnDropped:     t.observedCounter("im.turn.packets.dropped", "{packet}", "Packets not relayed: above the limit of their user, or to an address that nothing is relayed to.", byDrop),
		turnDenied:      t.observedCounter("im.turn.permissions.denied", "{permission}", "Peers that clients asked for and may not reach: those in private networks, which every client asks for, are among them."),
	}
	ins.rows, ins.observed = t.rows, t.observed
	return ins, errors.Join(t.errs...)
}
