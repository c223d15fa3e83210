package observe

import (
	"context"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/server/bus/redisbus"
	"github.com/onemeter/onemeter/server/cache/rediscache"
)

// Watch calls read at every collection. Call it once. The numbers are not copied, so they cannot drift.
func (o *Observer) Watch(read func() State) error {
	_, err := o.meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		s := read()
		for _, tell := range o.tellers {
			tell(&s, to)
		}
		return nil
	}, o.observed...)
	return err
}

// A put records a value of an instrument, with the values of its labels in order.
type put[N int64 | float64] func(v N, labels ...string)

// A reading reads the values of an instrument from a state.
type reading[N int64 | float64] func(*State, put[N])

// one reads an instrument without labels.
func one[N int64 | float64](read func(*State) N) reading[N] {
	return func(s *State, put put[N]) { put(read(s)) }
}

// ofPool reads the pool of Redis, if there is one.
func ofPool[N int64 | float64](read func(*redis.PoolStats) N, labels ...string) reading[N] {
	return func(s *State, put put[N]) {
		if s.Pool != nil {
			put(read(s.Pool), labels...)
		}
	}
}

// ofBus reads the bus between nodes, if there is one.
func ofBus[N int64 | float64](read func(*redisbus.Stats) N) reading[N] {
	return func(s *State, put put[N]) {
		if s.Bus != nil {
			put(read(s.Bus))
		}
	}
}

// ofShared reads the shared part of each cache.
func ofShared[N int64 | float64](read func(*rediscache.Stats) N) reading[N] {
	return func(s *State, put put[N]) {
		for _, c := range s.Caches {
			if c.Shared != nil {
				put(read(c.Shared), c.Name)
			}
		}
	}
}

// A teller records the values of one instrument.
type teller func(*State, metric.Observer)

func tellInts(inst metric.Int64Observable, read reading[int64], labels []label) teller {
	options := optionsOf(labels)
	return func(s *State, to metric.Observer) {
		read(s, func(v int64, values ...string) { to.ObserveInt64(inst, v, options(values)...) })
	}
}

func tellFloats(inst metric.Float64Observable, read reading[float64], labels []label) teller {
	options := optionsOf(labels)
	return func(s *State, to metric.Observer) {
		read(s, func(v float64, values ...string) { to.ObserveFloat64(inst, v, options(values)...) })
	}
}

// optionsOf returns a function for the attributes of label values, which are built once.
func optionsOf(labels []label) func(values []string) []metric.ObserveOption {
	const most = 2
	known := newTable(func(values [most]string) []metric.ObserveOption {
		var attrs []attribute.KeyValue
		for i, l := range labels {
			attrs = append(attrs, attribute.String(l.key, values[i]))
		}
		return []metric.ObserveOption{metric.WithAttributeSet(attribute.NewSet(attrs...))}
	})
	return func(values []string) []metric.ObserveOption {
		if len(labels) == 0 {
			return nil
		}
		return known.of([most]string(append(values, make([]string, most-len(values))...)))
	}
}
