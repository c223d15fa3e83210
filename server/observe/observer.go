package observe

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// scope is the instrumentation scope of the server's instruments.
const scope = "github.com/onemeter/onemeter/server"

// An Observer owns the server's instruments. Echo, Handler, SQL, Redis, Chat, Sockets, Calls and Watch return what
// feeds them; the server calls each once at start. Their results, and the other methods, are safe for concurrent use.
type Observer struct {
	maker
	ins       *instruments
	tel       *telemetry.Provider
	tracing   tracing
	delay     rollingMean
	responses *table[response, answers]
}

// New creates the instruments with meters of tel, and spans with its tracers. Counters without attributes appear on
// the page at 0 from then on.
func New(tel *telemetry.Provider) (*Observer, error) {
	o := &Observer{maker: maker{meter: tel.Meter(scope), rows: make(map[string]row)}, tel: tel, tracing: newTracing(tel.TracerProvider())}
	ins := o.events()
	o.states(&o.delay)
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	o.ins, o.responses = ins, newTable(o.answersOf)
	for _, c := range []metric.Int64Counter{
		ins.messagesSent, ins.cacheHits, ins.cacheMisses, ins.deliveries, ins.dropped,
		ins.commitFailures, ins.publishFailures, ins.recovered, ins.recoveryFailures, ins.uploadBytes, ins.reports, ins.panics, ins.slowClients,
	} {
		c.Add(context.Background(), 0)
	}
	return o, nil
}

// Panicked counts a handler that panicked.
func (o *Observer) Panicked(ctx context.Context) { o.ins.panics.Add(ctx, 1) }
