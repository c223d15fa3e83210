package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/embedded"
)

// This file carries an observation from a callback, through a cycle, to the SDK's instrument.

// A source identifies an observable instrument of the SDK, which replays what our callbacks observed.
type source[N int64 | float64] struct {
	gauge bool
	err   error // from creating the SDK's instrument
}

// An observable is a handle on a source. Each request gets its own, so that a conflict can name the code.
type observable[N int64 | float64] struct {
	source *source[N]
	meter  *meter
	as     *admitted
}

// int64Observable is any of the three observable instruments with int64 values. The embedded interface only adds its
// unexported method.
type int64Observable struct {
	metric.Int64Observable
	embedded.Int64ObservableCounter
	embedded.Int64ObservableUpDownCounter
	embedded.Int64ObservableGauge
	*observable[int64]
}

type float64Observable struct {
	metric.Float64Observable
	embedded.Float64ObservableCounter
	embedded.Float64ObservableUpDownCounter
	embedded.Float64ObservableGauge
	*observable[float64]
}

type observation[N int64 | float64] struct {
	from  *observable[N]
	value N
	set   attribute.Set
}

// lead returns the callback that the SDK runs first in every collection. For a reader that the caller added, it runs all
// callbacks of the Provider, because no other code does.
func (c *callbacks) lead() metric.Int64Callback {
	return func(ctx context.Context, _ metric.Int64Observer) error {
		if ctx.Value(cycleKey{}) == nil {
			c.collectWithinSDK(ctx)
		}
		return nil
	}
}

func (c *callbacks) current(ctx context.Context) *cycle {
	if own, ok := ctx.Value(cycleKey{}).(*cycle); ok {
		return own
	}
	return c.latest.Load()
}

func (c *callbacks) replayInt64(s *source[int64]) metric.Int64Callback {
	return func(ctx context.Context, to metric.Int64Observer) error {
		for _, o := range c.current(ctx).int64s[s] {
			to.Observe(o.value, metric.WithAttributeSet(o.set))
		}
		return nil
	}
}

func (c *callbacks) replayFloat64(s *source[float64]) metric.Float64Callback {
	return func(ctx context.Context, to metric.Float64Observer) error {
		for _, o := range c.current(ctx).float64s[s] {
			to.Observe(o.value, metric.WithAttributeSet(o.set))
		}
		return nil
	}
}

// attributes returns the attributes of an observation, including unsafe ones, as the SDK does.
func attributes(opts []metric.ObserveOption) attribute.Set {
	set := metric.NewObserveConfig(opts).Attributes()
	var raw []attribute.KeyValue
	for _, o := range opts {
		if r, ok := any(o).(interface{ RawAttributes() []attribute.KeyValue }); ok {
			raw = append(raw, r.RawAttributes()...)
		}
	}
	if len(raw) == 0 {
		return set
	}
	return attribute.NewSet(append(set.ToSlice(), raw...)...)
}

type int64Observer struct {
	embedded.Int64Observer
	r *recording
	o *observable[int64]
}

func (x int64Observer) Observe(v int64, opts ...metric.ObserveOption) {
	set := attributes(opts)
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	x.r.int64s = append(x.r.int64s, observation[int64]{x.o, v, set})
}

type float64Observer struct {
	embedded.Float64Observer
	r *recording
	o *observable[float64]
}

func (x float64Observer) Observe(v float64, opts ...metric.ObserveOption) {
	set := attributes(opts)
	x.r.mu.Lock()
	defer x.r.mu.Unlock()
	x.r.float64s = append(x.r.float64s, observation[float64]{x.o, v, set})
}

// A multiObserver accepts observations only for the instruments that the callback was registered with.
type multiObserver struct {
	embedded.Observer
	r   *recording
	may map[metric.Observable]bool
}

func (x multiObserver) ObserveInt64(o metric.Int64Observable, v int64, opts ...metric.ObserveOption) {
	if inst, ok := settled(o).(*int64Observable); ok && x.may[inst] {
		int64Observer{r: x.r, o: inst.observable}.Observe(v, opts...)
	}
}

func (x multiObserver) ObserveFloat64(o metric.Float64Observable, v float64, opts ...metric.ObserveOption) {
	if inst, ok := settled(o).(*float64Observable); ok && x.may[inst] {
		float64Observer{r: x.r, o: inst.observable}.Observe(v, opts...)
	}
}

// gather adds observations to those of a cycle. Equal attributes of a counter add up at replay, as in the SDK within
// one callback. If two callbacks observe one gauge with equal attributes, the first wins.
func gather[N int64 | float64](all map[*source[N]][]observation[N], more []observation[N]) []Conflict {
	var conflicts []Conflict
	var earlier map[*source[N]]map[attribute.Distinct]*observable[N]
	for _, o := range more {
		src := o.from.source
		if src.gauge {
			if earlier == nil {
				earlier = index(all, more)
			}
			if first := earlier[src][o.set.Equivalent()]; first != nil {
				conflicts = append(conflicts, duplicate(first.as.instrument(), o.from.as.instrument()))
				continue
			}
		}
		all[src] = append(all[src], o)
	}
	return conflicts
}

// index returns what other callbacks observed of the gauges in more.
func index[N int64 | float64](
	all map[*source[N]][]observation[N], more []observation[N],
) map[*source[N]]map[attribute.Distinct]*observable[N] {
	out := map[*source[N]]map[attribute.Distinct]*observable[N]{}
	for _, m := range more {
		src := m.from.source
		if _, ok := out[src]; ok || !src.gauge {
			continue
		}
		seen := make(map[attribute.Distinct]*observable[N], len(all[src]))
		for _, o := range all[src] {
			seen[o.set.Equivalent()] = o.from
		}
		out[src] = seen
	}
	return out
}

func duplicate(first, second Instrument) Conflict {
	return Conflict{Family: first.Prometheus, Reason: ReasonDuplicate, Resolution: Merged, First: first, Second: second}
}
