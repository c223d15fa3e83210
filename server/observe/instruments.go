package observe

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// Bucket boundaries that the metric contract fixes, in seconds.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	queryBuckets   = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1}
)

// Boundaries of our own histograms.
var (
	deliveryBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10} // seconds
	lifetimeBuckets = []float64{1, 10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600}                      // seconds
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
	dbOpen           metric.Int64ObservableGauge
	dbWait           metric.Float64ObservableCounter
}

func newInstruments(m metric.Meter) (*instruments, error) {
	t := maker{meter: m}
	ins := &instruments{
		httpRequests:   t.counter("http.requests", "{request}", "HTTP responses, by method, route template and status."),
		httpDuration:   t.histogram("http.request.duration", "s", "Time to answer an HTTP request, WebSockets apart.", requestBuckets),
		messagesSent:   t.counter("messages.sent", "{message}", "Messages accepted and stored; a retry is not counted again."),
		onlineUsers:    t.gauge("online.users.current", "{user}", "Users with at least one open WebSocket on this node."),
		activeUsers:    t.gauge("im.active.users.total", "{user}", "Users who did anything authenticated in the last 5 minutes on this node."),
		queryDuration:  t.histogram("db.query.duration", "s", "Time of a statement in the database, by operation and table.", queryBuckets),
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
		turnAttempts:   t.observedCounter("turn.relay.attempts", "{allocation}", "Allocations asked of the TURN relay."),
		turnFailures:   t.observedCounter("turn.relay.failures", "{allocation}", "Allocations that the TURN relay refused or failed."),

		deliveries:       t.counter("im.message.deliveries", "{delivery}", "New messages written to a socket of a receiver."),
		deliveryDuration: t.histogram("im.message.delivery.duration", "s", "Time from accepting a message to writing it to the last of its receivers' sockets; one value a message.", deliveryBuckets),
		dropped:          t.counter("im.message.deliveries.dropped", "{delivery}", "New messages that a connection did not get because it was cut off; its client syncs."),
		refused:          t.counter("im.messages.refused", "{message}", "Messages that were not accepted, by reason."),
		batchSize:        t.intHistogram("im.message.batch.size", "{message}", "Messages that shared a transaction, retries included.", batchBuckets),
		commitDuration:   t.histogram("im.message.commit.duration", "s", "Time of a transaction that stored messages.", queryBuckets),
		commitFailures:   t.counter("im.message.commit.failures", "{transaction}", "Transactions that should have stored messages, and failed; their senders were told."),
		publishFailures:  t.counter("im.bus.failures", "{event}", "Events that were not announced, by the bus or for want of the database; clients sync."),
		recovered:        t.counter("im.messages.recovered", "{message}", "New messages that the bus did not bring, loaded from the database."),
		recoveryFailures: t.counter("im.messages.recovery.failures", "{failure}", "Times that missing messages could not be loaded; clients sync."),
		cacheLookups:     t.counter("im.cache.lookups", "{lookup}", "Cache lookups, by cache and result."),
		loginsRejected:   t.counter("im.logins.rejected", "{attempt}", "Logins and registrations turned away, by operation and reason."),
		uploadBytes:      t.counter("im.upload", "By", "Bytes of files stored."),
		panics:           t.counter("im.http.panics", "{panic}", "Handlers that panicked; each answered 500."),
		connections:      t.gauge("im.connections.active", "{connection}", "Open WebSockets on this node."),
		connLifetime:     t.histogram("im.connection.duration", "s", "How long a WebSocket was open, by how it ended.", lifetimeBuckets),
		slowClients:      t.counter("im.connections.slow", "{connection}", "Connections cut off because their client did not read."),
		framesIn:         t.counter("im.frames.received", "{frame}", "Frames that clients sent, by type."),
		framesOut:        t.observedCounter("im.frames.sent", "{frame}", "Frames written to clients, of every type."),
		framesRefused:    t.counter("im.frames.refused", "{frame}", "Frames answered with an error frame, by its code."),
		bytesOut:         t.observedCounter("im.frames.sent.size", "By", "Bytes written to WebSockets, framing included."),
		bytesIn:          t.observedCounter("im.frames.received.size", "By", "Bytes of frames that clients sent."),
		dbOpen:           t.gauge("im.db.connections", "{connection}", "Open database connections, by state."),
		dbWait:           t.observedFloatCounter("im.db.connections.wait", "s", "Time spent waiting for a database connection."),
	}
	return ins, errors.Join(t.errs...)
}

// maker makes instruments and gathers what fails.
type maker struct {
	meter metric.Meter
	errs  []error
}

func made[T any](t *maker, inst T, err error) T {
	if err != nil {
		t.errs = append(t.errs, err)
	}
	return inst
}

func (t *maker) counter(name, unit, desc string) metric.Int64Counter {
	c, err := t.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, c, err)
}

func (t *maker) histogram(name, unit, desc string, bounds []float64) metric.Float64Histogram {
	h, err := t.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(desc),
		metric.WithExplicitBucketBoundaries(bounds...))
	return made(t, h, err)
}

func (t *maker) intHistogram(name, unit, desc string, bounds []float64) metric.Int64Histogram {
	h, err := t.meter.Int64Histogram(name, metric.WithUnit(unit), metric.WithDescription(desc),
		metric.WithExplicitBucketBoundaries(bounds...))
	return made(t, h, err)
}

func (t *maker) gauge(name, unit, desc string) metric.Int64ObservableGauge {
	g, err := t.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, g, err)
}

func (t *maker) floatGauge(name, unit, desc string) metric.Float64ObservableGauge {
	g, err := t.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, g, err)
}

func (t *maker) observedCounter(name, unit, desc string) metric.Int64ObservableCounter {
	c, err := t.meter.Int64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, c, err)
}

func (t *maker) observedFloatCounter(name, unit, desc string) metric.Float64ObservableCounter {
	c, err := t.meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(desc))
	return made(t, c, err)
}
