// Package series holds what synchronous instruments record. An [Account] has the series of one instrument, and
// returns them to the SDK's exporters as metric data. [Lines] has the series of a family, and writes them to the
// page. An instrument records through a [Handle].
//
// Recording takes no lock and waits for no reader.
package series

import (
	"context"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/trace"

	"github.com/onemeter/onemeter/telemetry/internal/cell"
	"github.com/onemeter/onemeter/telemetry/internal/table"
)

// A series holds what was recorded with one set of attributes.
type series struct {
	account   *Account
	value     cell.Number
	histogram *cell.Histogram                            // nil if it is not a histogram
	exemplars atomic.Pointer[[]atomic.Pointer[exemplar]] // by bucket
	started   int64                                      // in ns since 1970
	state     atomic.Uint32
}

// The states of a series.
const (
	gone    = 1 << iota // the series has ended
	onPage              // Lines has it, or had it
	offPage             // it has ended, and the page is done with it
	done                // it has ended, and all readers are done with it
)

type entry = table.Entry[series]

// An exemplar is a measurement kept as an example of its bucket.
type exemplar struct {
	at    int64  // in ns since 1970
	value uint64 // an int64 or the bits of a float64, as in the account
	trace trace.TraceID
	span  trace.SpanID
}

func (s *series) has(state uint32) bool { return s.state.Load()&state != 0 }

// remember stores a measurement as the exemplar of its bucket.
func (s *series) remember(ctx context.Context, bucket int, value uint64) {
	if s.exemplars.Load() == nil {
		fresh := make([]atomic.Pointer[exemplar], len(s.account.Bounds)+1)
		s.exemplars.CompareAndSwap(nil, &fresh)
	}
	e := &exemplar{at: time.Now().UnixNano(), value: value}
	if ctx != nil {
		if span := trace.SpanContextFromContext(ctx); span.IsValid() {
			e.trace, e.span = span.TraceID(), span.SpanID()
		}
	}
	(*s.exemplars.Load())[bucket].Store(e)
}

// exemplar returns the exemplar of a bucket, or nil.
func (s *series) exemplar(bucket int) *exemplar {
	if all := s.exemplars.Load(); all != nil {
		return (*all)[bucket].Load()
	}
	return nil
}

// close closes the cells. Later measurements go to another series.
func (s *series) close() {
	s.state.Or(gone)
	s.value.Close()
	if s.histogram != nil {
		s.histogram.Close()
	}
}

// exemplars returns the exemplars of a series in the SDK's form.
func exemplars[N int64 | float64](s *series) []metricdata.Exemplar[N] {
	all := s.exemplars.Load()
	if all == nil {
		return nil
	}
	var out []metricdata.Exemplar[N]
	for i := range *all {
		e := (*all)[i].Load()
		if e == nil {
			continue
		}
		x := metricdata.Exemplar[N]{Time: time.Unix(0, e.at), Value: number[N](e.value)}
		if e.span.IsValid() {
			x.TraceID, x.SpanID = e.trace[:], e.span[:]
		}
		out = append(out, x)
	}
	return out
}

var overflow = attribute.NewSet(attribute.Bool("otel.metric.overflow", true))
