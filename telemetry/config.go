package telemetry

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// A ConflictPolicy says what a Provider does with an instrument that conflicts with an earlier one when it is created.
// Conflicts that show only when metrics are collected are merged, renamed or repaired under both policies.
type ConflictPolicy int

const (
	// KeepFirst merges or renames the second instrument and reports the conflict. It is the default, and meant for
	// production: creating an instrument never fails because of a conflict.
	KeepFirst ConflictPolicy = iota
	// Reject makes creating the second instrument return a *ConflictError, and an instrument that is not nil and does
	// nothing. It is meant for tests.
	Reject
)

const (
	defaultCardinalityLimit = 2000
	defaultCallbackTimeout  = time.Second
)

type config struct {
	name, version     string
	resource          *resource.Resource
	views             []sdkmetric.View
	readers           []sdkmetric.Reader
	metricExporters   []exporterTo[sdkmetric.Exporter]
	spanExporters     []exporterTo[sdktrace.SpanExporter]
	gatherers         []given
	log               voice
	scopeLabels       bool
	cardinalityLimit  int
	policy            ConflictPolicy
	callbackTimeout   time.Duration
	withoutPrometheus bool
	withoutRuntime    bool
	withoutPush       bool
	disabled          bool // OTEL_SDK_DISABLED is true
	global            bool // the Provider is that of Setup
}

func newConfig(opts []Option) config {
	cfg := config{
		cardinalityLimit: defaultCardinalityLimit,
		callbackTimeout:  defaultCallbackTimeout,
		disabled:         strings.EqualFold(strings.TrimSpace(os.Getenv("OTEL_SDK_DISABLED")), "true"),
	}
	for _, o := range opts {
		if o != nil {
			cfg = o.apply(cfg)
		}
	}
	return cfg
}

// An Option configures [New] and [Setup]. They ignore a nil Option. If an option that sets one value is given twice, the
// last one applies; WithView, WithReader, WithMetricExporter, WithSpanExporter and WithGatherer add to each other.
type Option interface{ apply(config) config }

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithService sets service.name and service.version in the resource, and so in target_info. "" leaves the attribute as
// it is. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over WithService, because the operator decides over the
// author.
func WithService(name, version string) Option {
	return optionFunc(func(c config) config { c.name, c.version = name, version; return c })
}

// WithResource adds the attributes of r to the resource. The environment and WithService win over them. The schema URL of
// r is ignored.
func WithResource(r *resource.Resource) Option {
	return optionFunc(func(c config) config { c.resource = r; return c })
}

// WithView adds views, which must be safe for concurrent use. The SDK keeps the series of an instrument that a view
// matches, which has a cost: see the package documentation. If a view changes the name, the unit or the kind of data of an
// instrument, conflicts of that instrument are found when it is collected, not when it is created.
func WithView(v ...sdkmetric.View) Option {
	return optionFunc(func(c config) config { c.views = append(c.views, v...); return c })
}

// WithReader adds a reader: a test's ManualReader, or a PeriodicReader with any exporter. The reader gets the SDK's own
// data, without the repairs that WithMetricExporter makes. With it, the SDK keeps the series of every instrument, which
// has a cost: see the package documentation. nil is ignored. The Provider shuts the reader down. Do not give one reader to
// two Providers.
func WithReader(r sdkmetric.Reader) Option {
	return optionFunc(func(c config) config {
		if r != nil {
			c.readers = append(c.readers, r)
		}
		return c
	})
}

// WithMetricExporter pushes metrics through an exporter, such as one of otlpmetricgrpc, in addition to the exporters that
// the environment names. It pushes every OTEL_METRIC_EXPORT_INTERVAL milliseconds, 60000 by default, and gives up after
// OTEL_METRIC_EXPORT_TIMEOUT, 30000 by default. The pushed metrics agree with the page. nil is ignored. The Provider shuts
// the exporter down.
func WithMetricExporter(e sdkmetric.Exporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.metricExporters = append(c.metricExporters, exporterTo[sdkmetric.Exporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithSpanExporter turns traces on and sends spans through an exporter, such as one of otlptracegrpc, in addition to
// the exporters that the environment names. The OTEL_TRACES_SAMPLER and OTEL_BSP_ variables apply; by default every root
// span is sampled. nil is ignored. The Provider shuts the exporter down.
func WithSpanExporter(e sdktrace.SpanExporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.spanExporters = append(c.spanExporters, exporterTo[sdktrace.SpanExporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithGatherer adds the metrics of code that still uses client_golang. They are served on the same page and pushed,
// merged with OpenTelemetry's. A gatherer that is passed twice is gathered once, and nil is ignored. A gatherer that fails,
// panics or hangs costs the page only its own families. It must be safe for concurrent use. With package promguard, the
// page of the default registry has these metrics too: do not serve both in prometheus.Gatherers, or they appear twice.
//
// client_golang does not record who registered what, so a conflict names the code that called WithGatherer. And if a
// collector that was registered through prometheus.WrapRegistererWith panics, the process ends, as it does without a
// Provider. [Provider.Registerer], and the default registry under package promguard, have neither limit.
func WithGatherer(g prometheus.Gatherer) Option {
	from := given{g, callSite().String()}
	return optionFunc(func(c config) config {
		if g != nil {
			c.gatherers = append(c.gatherers, from)
		}
		return c
	})
}

// A given is a gatherer and the place in the code that passed it to WithGatherer.
type given struct {
	gatherer prometheus.Gatherer
	site     string
}

// WithLogger sets the logger of the Provider. The Provider logs conflicts, wrong environment variables, and failures of
// callbacks, collectors and pushes; with Setup it also logs what OpenTelemetry logs. The default, and nil, is slog's default
// logger at the time of each message.
//
// The logger does not get everything: OpenTelemetry logs to standard error until Setup is called, and the warning about
// measurements lost before Setup goes to slog's default logger.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c config) config { c.log.to = l; return c })
}

// WithScopeLabels adds the labels otel_scope_name, otel_scope_version and otel_scope_schema_url to each series, and the
// scope's attributes with the prefix otel_scope_. So equal instruments of different scopes are separate series. Without
// this option they are one.
func WithScopeLabels() Option {
	return optionFunc(func(c config) config { c.scopeLabels = true; return c })
}

// WithCardinalityLimit bounds the series of each instrument, as OpenTelemetry's SDK specification defines it. If there are
// more, the further ones are recorded to one series with the label otel_metric_overflow="true", which is included in the
// limit. The default is 2000; 0 or less means no limit.
func WithCardinalityLimit(perInstrument int) Option {
	return optionFunc(func(c config) config { c.cardinalityLimit = perInstrument; return c })
}

// WithConflictPolicy chooses between KeepFirst, the default, and Reject.
func WithConflictPolicy(p ConflictPolicy) Option {
	return optionFunc(func(c config) config { c.policy = p; return c })
}

// WithCallbackTimeout bounds each run of an observable callback; then its context ends. The default is one second; 0 or
// less is ignored. If a callback has not returned by then, what it observed is left out. It is not started again until it
// returns; until then its instruments have no values.
func WithCallbackTimeout(d time.Duration) Option {
	return optionFunc(func(c config) config {
		if d > 0 {
			c.callbackTimeout = d
		}
		return c
	})
}

// WithoutPrometheus disables the page: Handler answers 404, and Gatherer has no OpenTelemetry metrics. Only pushes and the
// readers of WithReader collect.
func WithoutPrometheus() Option {
	return optionFunc(func(c config) config { c.withoutPrometheus = true; return c })
}

// WithoutRuntime leaves out the metrics of the Go runtime and of the process, which are on by default.
func WithoutRuntime() Option {
	return optionFunc(func(c config) config { c.withoutRuntime = true; return c })
}

// WithoutPush creates no exporter because of OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER or the OTEL_EXPORTER_OTLP_
// variables: only exporters passed as options are used. It is meant for tests, and for programs that must not send
// anything.
func WithoutPush() Option {
	return optionFunc(func(c config) config { c.withoutPush = true; return c })
}

// buildResource merges four resources: the SDK's default, and those of WithResource, WithService and the environment.
// Later ones win.
func (c config) buildResource() (*resource.Resource, error) {
	var own []attribute.KeyValue
	if c.name != "" {
		own = append(own, attribute.String("service.name", c.name))
	}
	if c.version != "" {
		own = append(own, attribute.String("service.version", c.version))
	}
	res := resource.Default()
	env, err := resourceFromEnvironment(c.log)
	if err != nil {
		return nil, err
	}
	for _, r := range []*resource.Resource{c.resource, resource.NewSchemaless(own...), env} {
		if r == nil {
			continue
		}
		// Schema URLs may differ between the parts; only the attributes matter.
		if res, err = resource.Merge(res, resource.NewSchemaless(rule.SoundAttributes(r.Attributes())...)); err != nil {
			return nil, fmt.Errorf("telemetry: resource: %w", err)
		}
	}
	return res, nil
}
