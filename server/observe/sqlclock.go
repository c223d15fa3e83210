package observe

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// maxParsed bounds the statements that are remembered. The server's own are
// some dozens, and as many again for each size of a batch.
const maxParsed = 4096

// A queryClock records how long statements took.
type queryClock struct {
	ins     *instruments
	system  string
	failure func(error) string // the error.type

	mu     sync.RWMutex
	kinds  map[statement]*statementKind
	parsed map[string]*statementKind // by the text of the statement
}

// A statementKind is the labels of statements that are not told apart.
type statementKind struct {
	query, operation labels
	failed           *labelTable[string] // by error.type
}

// A timing is a statement under way.
type timing struct {
	clock *queryClock
	ctx   context.Context
	kind  *statementKind
	start time.Time
}

func (q *queryClock) begin(ctx context.Context, query string) timing {
	return timing{q, ctx, q.kindOf(query), time.Now()}
}

// end records the statement, which failed with err unless that is nil.
func (t timing) end(err error) {
	took := time.Since(t.start).Seconds()
	operation := t.kind.operation
	if err != nil {
		operation = t.kind.failed.of(t.clock.failure(err))
	}
	t.clock.ins.queryDuration.Record(t.ctx, took, t.kind.query.record...)
	t.clock.ins.operationDuration.Record(t.ctx, took, operation.record...)
}

func (q *queryClock) kindOf(query string) *statementKind {
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
		q.parsed[query] = k
	}
	return k
}

func (q *queryClock) newKind(s statement) *statementKind {
	return &statementKind{
		query:     newLabels(attribute.String("operation", s.operation), attribute.String("table", s.table)),
		operation: newLabels(operationAttrs(q.system, s.operation, s.table, "")...),
		failed: newLabelTable(func(failure string) []attribute.KeyValue {
			return operationAttrs(q.system, s.operation, s.table, failure)
		}),
	}
}

// operationAttrs are what the semantic conventions tell an operation of a
// database's client by; what is empty is left out.
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
