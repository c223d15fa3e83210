package observe

import (
	"github.com/onemeter/onemeter/server/call"
	"github.com/onemeter/onemeter/server/chat"

	"go.opentelemetry.io/otel/metric"
)

// Bucket boundaries fixed by the metric contract, in seconds.
var (
	requestBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
	queryBuckets   = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1}
)

// operationBuckets are recommended by the semantic conventions, in seconds.
var operationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10}

// Boundaries of the server's own histograms.
var (
	deliveryBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10} // seconds
	lifetimeBuckets = []float64{1, 10, 60, 300, 1800, 3600, 4 * 3600, 24 * 3600}                      // seconds
	setupBuckets    = []float64{.1, .25, .5, 1, 2.5, 5, 10, 20, 30, 45}                               // seconds
	batchBuckets    = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}                                     // messages
)

// instruments are recorded when something happens; states has the others. The first block is the metric contract:
// dashboards and alerts use these names. The exporter turns "http.requests" into http_requests_total, and so on.
type instruments struct {
	httpRequests  metric.Int64Counter
	httpDuration  metric.Float64Histogram
	messagesSent  metric.Int64Counter
	queryDuration metric.Float64Histogram
	cacheHits     metric.Int64Counter
	cacheMisses   metric.Int64Counter

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
	blocks           metric.Int64Counter
	requests         metric.Int64Counter
	loginsRejected   metric.Int64Counter
	sessionsEnded    metric.Int64Counter
	passwordChanges  metric.Int64Counter
	twoFactor        metric.Int64Counter
	accountsDeleted  metric.Int64Counter
	exports          metric.Int64Counter
	uploadBytes      metric.Int64Counter
	filesDeleted     metric.Int64Counter
	deletedBytes     metric.Int64Counter
	searchDuration   metric.Float64Histogram
	staffActs        metric.Int64Counter
	bans             metric.Int64Counter
	reports          metric.Int64Counter
	reportsHandled   metric.Int64Counter
	notices          metric.Int64Counter
	panics           metric.Int64Counter
	connLifetime     metric.Float64Histogram
	slowClients      metric.Int64Counter
	framesIn         metric.Int64Counter
	framesRefused    metric.Int64Counter
	callsStarted     metric.Int64Counter
	callsEnded       metric.Int64Counter
	callSetup        metric.Float64Histogram
	callDuration     metric.Float64Histogram

	// Of the clients of the database and Redis, with names from the semantic conventions.
	operationDuration metric.Float64Histogram
}

// Labels and their values. No value comes from a client.
var (
	byMethod      = label{key: "method", from: "HTTP's methods, or `_OTHER`"}
	byPath        = label{key: "path", from: "route templates, or `" + unmatched + "`"}
	byStatus      = label{key: "status", from: "HTTP's status codes"}
	byOperation   = label{key: "operation", from: "the first word of the server's own statements"}
	byTable       = label{key: "table", from: "tables of the schema, or `" + noTable + "`"}
	byKind        = oneOf("reason", chat.KindInvalid, chat.KindUnauthenticated, chat.KindForbidden, chat.KindNotFound, chat.KindConflict, chat.KindTooLarge, chat.KindRateLimited, chat.KindUnavailable, chat.KindCancelled, chat.KindInternal)
	byAttempt     = oneOf("operation", "login", "register")
	byEnder       = oneOf("by", chat.EndedByUser, chat.EndedByPassword, chat.EndedByTwoFactor, chat.EndedByReplay, chat.EndedByOperator, chat.EndedByLeaving)
	byWhom        = oneOf("by", byUser, byOperator)
	byFactor      = oneOf("event", chat.TwoFactorEnabled, chat.TwoFactorDisabled, chat.TwoFactorCode, chat.TwoFactorBackupCode, chat.TwoFactorDevice, chat.TwoFactorRefused, chat.TwoFactorLocked)
	byExport      = oneOf("outcome", chat.ExportComplete, chat.ExportCancelled, chat.ExportFailed)
	byCache       = oneOf("cache", "session", "membership", "direct", "user", "blocks")
	byHit         = oneOf("hit", "true", "false")
	byOutcome     = oneOf("outcome", chat.SearchDone, chat.SearchPartial, chat.SearchFailed)
	byBlock       = oneOf("change", blockMade, blockUndone)
	byAnswer      = oneOf("outcome", chat.RequestWasMade, chat.RequestWasAccepted, chat.RequestWasDeclined, chat.RequestWasRefused)
	byState       = oneOf("state", "used", "idle")
	byEnding      = label{key: "reason", from: "the constants of ws.Reason"}
	byFrame       = label{key: "type", from: "the types that API.md lists for clients, or `other`"}
	byCode        = label{key: "code", from: "the constants of ws.Code and chat.Kind"}
	byCallType    = oneOf("type", call.Audio, call.Video)
	byCallEnd     = oneOf("reason", call.UserHangup, call.UserBusy, call.UserRejected, call.NetworkError, call.Timeout, call.ServerError)
	byCallPhase   = oneOf("phase", phaseAnswer, phaseMedia)
	byDBSystem    = oneOf("db.system.name", "sqlite", "mysql", "redis")
	byDBOperation = label{key: "db.operation.name", from: "as operation of db.query.duration; for Redis, the server's own commands, `PIPELINE`, and `PIPELINE` or `MULTI` before a command"}
	byCollection  = label{key: "db.collection.name", from: "as table of db.query.duration; not for Redis"}
	byError       = label{key: "error.type", from: "the values of sqlstore.ErrorType; for Redis, " + redisErrorTypes() + "; only where the operation failed"}
	byPool        = oneOf("db.client.connection.pool.name", "sqlite", "mysql", "redis")
	byDirection   = oneOf("direction", "to_peer", "from_peer")
	byDrop        = oneOf("reason", "limit", "address")
	byAct         = oneOf("act", chat.Acts...)
	byActOutcome  = oneOf("outcome", chat.OutcomeDone, chat.OutcomeRefused, chat.OutcomeFailed)
	byBan         = oneOf("kind", "temporary", "for_good")
	byAction      = oneOf("action", chat.ReportDismiss, chat.ReportDelete, chat.ReportWarn, chat.ReportBan)
	byNotice      = oneOf("kind", chat.NoticeBroadcast, chat.NoticeWarning)
	byPoolState   = oneOf("db.client.connection.state", "used", "idle")
)

// events is the table of instruments for events.
func (t *maker) events() *instruments {
	return &instruments{
		httpRequests:  t.counter("http.requests", "{request}", "HTTP responses, by method, route template and status.", byMethod, byPath, byStatus),
		httpDuration:  t.histogram("http.request.duration", "s", "Time to answer an HTTP request, except WebSockets.", requestBuckets, byMethod, byPath, byStatus),
		messagesSent:  t.counter("messages.sent", "{message}", "Messages accepted and stored; a retry is not counted again."),
		queryDuration: t.histogram("db.query.duration", "s", "Time of a statement in the database, by operation and table.", queryBuckets, byOperation, byTable),
		cacheHits:     t.counter("redis.cache.hits", "{lookup}", "Cache lookups that found something, in Redis or in process."),
		cacheMisses:   t.counter("redis.cache.misses", "{lookup}", "Cache lookups that went on to the database."),

		deliveries:       t.counter("im.message.deliveries", "{delivery}", "New messages written to a socket of a receiver."),
		deliveryDuration: t.histogram("im.message.delivery.duration", "s", "Time from accepting a message to writing it to the last of its receivers' sockets; one value per message.", deliveryBuckets),
		dropped:          t.counter("im.message.deliveries.dropped", "{delivery}", "New messages dropped because a connection was closed; its client syncs."),
		refused:          t.counter("im.messages.refused", "{message}", "Refused messages, by reason.", byKind),
		batchSize:        t.intHistogram("im.message.batch.size", "{message}", "Messages that shared a transaction, including retries.", batchBuckets),
		commitDuration:   t.histogram("im.message.commit.duration", "s", "Time of a transaction that stored messages.", queryBuckets),
		commitFailures:   t.counter("im.message.commit.failures", "{transaction}", "Failed transactions that should have stored messages; their senders got an error."),
		publishFailures:  t.counter("im.bus.failures", "{event}", "Events that were not announced, because the bus or the database failed; clients sync."),
		recovered:        t.counter("im.messages.recovered", "{message}", "New messages that the bus lost, loaded from the database."),
		recoveryFailures: t.counter("im.messages.recovery.failures", "{failure}", "Failures to load missing messages; clients sync."),
		cacheLookups:     t.counter("im.cache.lookups", "{lookup}", "Cache lookups, by cache and result.", byCache, byHit),
		loginsRejected:   t.counter("im.logins.rejected", "{attempt}", "Rejected logins and registrations, by operation and reason.", byAttempt, byKind),
		blocks:           t.counter("im.blocks", "{block}", "Users whom another user blocked or unblocked.", byBlock),
		requests:         t.counter("im.requests", "{request}", "Requests of strangers to users who accept contacts only, by outcome; refused: too many, too fast, or declined before.", byAnswer),
		sessionsEnded:    t.counter("im.sessions.ended", "{session}", "Sessions that ended before they expired, by cause.", byEnder),
		passwordChanges:  t.counter("im.password.changes", "{change}", "New passwords of accounts, by who set them.", byWhom),
		twoFactor:        t.counter("im.two_factor.events", "{event}", "Users who turned two-factor login on or off, and codes that were accepted, refused, or not checked because the user had tried too many.", byFactor),
		accountsDeleted:  t.counter("im.accounts.deleted", "{account}", "Deleted accounts, by who deleted them.", byWhom),
		exports:          t.counter("im.exports", "{export}", "Exports of a user's data, by outcome; cancelled: the client went away, a write to it failed, or its session ended.", byExport),
		uploadBytes:      t.counter("im.upload", "By", "Bytes of files stored."),
		filesDeleted:     t.counter("im.files.deleted", "{file}", "Files that their owners deleted."),
		deletedBytes:     t.counter("im.files.deleted.size", "By", "Bytes of files that their owners deleted."),
		searchDuration:   t.histogram("im.search.duration", "s", "Time of a search of messages, including the wait for its turn, by outcome; a partial one reached its time limit, and its client may continue.", operationBuckets, byOutcome),
		staffActs:        t.counter("im.staff.acts", "{act}", "Actions of the staff, by act and outcome; access: requests refused because the role is too low.", byAct, byActOutcome),
		bans:             t.counter("im.bans", "{ban}", "Bans of accounts, temporary or permanent.", byBan),
		reports:          t.counter("im.reports", "{report}", "Reports that users made."),
		reportsHandled:   t.counter("im.reports.handled", "{report}", "Reports that a moderator handled, by action.", byAction),
		notices:          t.counter("im.notices", "{notice}", "Notices that the staff sent: broadcasts to all users, warnings to one.", byNotice),
		panics:           t.counter("im.http.panics", "{panic}", "Handlers that panicked; each answered 500."),
		connLifetime:     t.histogram("im.connection.duration", "s", "How long a WebSocket was open, by how it ended.", lifetimeBuckets, byEnding),
		slowClients:      t.counter("im.connections.slow", "{connection}", "Connections closed because their client did not read."),
		framesIn:         t.counter("im.frames.received", "{frame}", "Frames that clients sent, by type.", byFrame),
		framesRefused:    t.counter("im.frames.refused", "{frame}", "Frames answered with an error frame, by its code.", byCode),
		callsStarted:     t.counter("im.call.started", "{call}", "Calls started on this node.", byCallType),
		callsEnded:       t.counter("im.call.ended", "{call}", "Calls that this node ended, by reason; each is ended by one node.", byCallEnd),
		callSetup:        t.histogram("im.call.setup.duration", "s", "Time from the offer of a call to its answer, and from there to media.", setupBuckets, byCallPhase),
		callDuration:     t.histogram("im.call.duration", "s", "Time from media to the end of a call; calls without media are not counted.", lifetimeBuckets, byCallEnd),

		operationDuration: t.histogram("db.client.operation.duration", "s", "Time of a statement in the database, or of a command or pipeline in Redis.", operationBuckets, byDBSystem, byDBOperation, byCollection, byError),
	}
}
