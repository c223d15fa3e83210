package observe

import (
	"context"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/onemeter/onemeter/telemetry"
)

// maxParsed bounds the remembered statements. The server has some dozens, and as many again for each size of a batch.
const maxParsed = 4096

// A queryClock records how long statements took.
type queryClock struct {
	ins     *instruments
	tracing tracing
	system  string
	failure func(error) string // returns the error.type

	mu     sync.RWMutex
	kinds  map[statement]*statementKind
	parsed map[string]*statementKind // by the text of the statement
}

// A statementKind has the bound instruments for statements with equal labels.
type statementKind struct {
	statement
	query, operation metric.Float64Histogram
	failed           *table[string, metric.Float64Histogram] // by error.type
}

// A timing is a statement in progress.
type timing struct {
	clock *queryClock
	ctx   context.Context
	kind  *statementKind
	start time.Time
	span  trace.Span
}

func (q *queryClock) begin(ctx context.Context, query string) timing {
	t := timing{clock: q, ctx: ctx, kind: q.kindOf(query), start: time.Now(), span: noop.Span{}}
	if q.tracing.within(ctx) {
		attrs := append(operationAttrs(q.system, t.kind.statement.operation, t.kind.table, ""), attribute.String("db.query.text", shortened(query)))
		t.ctx, t.span = q.tracing.operation(ctx, t.start, t.kind.name(), attrs...)
	}
	return t
}

// name returns the name of the span, as the semantic conventions define.
func (s statement) name() string { return s.operation + " " + s.table }

// shortened returns a statement for spans. Values are already replaced by ?, and all rows of an INSERT look the same.
func shortened(query string) string {
	const most = 400
	query = strings.Join(strings.Fields(query), " ")
	if len(query) > most {
		query = query[:most] + "…"
	}
	return query
}

// end records the statement, with its error if err is not nil.
func (t timing) end(err error) {
	took := time.Since(t.start).Seconds()
	operation := t.kind.operation
	if err != nil {
		operation = t.kind.failed.of(t.clock.failure(err))
	}
	finish(t.span, err)
	t.kind.query.Record(t.ctx, took)
	operation.Record(t.ctx, took)
}

func (q *queryClock) kindOf(query string) *statementKind {
	query = lastOf(query)
	q.mu.RLock()
	k, ok := q.parsed[query]
	q.mu.RUnlock()
	if ok {
		return k
	}
	s := parse(query)
	q.mu.Lock()
	defer q.mu.Unlock()
	k, ok = q.kinds[s]
	if !ok {
		k = q.newKind(s)
		q.kinds[s] = k
	}
	if len(q.parsed) < maxParsed {
		q.parsed[strings.Clone(query)] = k // without the memory of the statements before it
	}
	return k
}

func (q *queryClock) newKind(s statement) *statementKind {
	return &statementKind{
		statement: s,
		query:     telemetry.Bind(q.ins.queryDuration, attribute.String("operation", s.operation), attribute.String("table", s.table)),
		operation: telemetry.Bind(q.ins.operationDuration, operationAttrs(q.system, s.operation, s.table, "")...),
		failed: by(q.ins.operationDuration, func(failure string) []attribute.KeyValue {
			return operationAttrs(q.system, s.operation, s.table, failure)
		}),
	}
}

// operationAttrs returns the attributes of a database client's operation, as the semantic conventions define. Empty
// ones are omitted.
func operationAttrs(system, operation, collection, failure string) []attribute.KeyValue {
	attrs := []attribute.KeyValue{
		attribute.String("db.system.name", system), attribute.String("db.operation.name", operation),
	}
	if collection != "" {
		attrs = append(attrs, attribute.String("db.collection.name", collection))
	}
	if failure != "" {
		attrs = append(attrs, attribute.String("error.type", failure))
	}
	return attrs
}
