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

// A ConflictPolicy says what a Provider does with an instrument that conflicts with an earlier one.
type ConflictPolicy int

const (
	// KeepFirst merges or renames the second instrument, tells of it, and goes on. It is the default, and the
	// policy for production: creating an instrument never fails for a conflict.
	KeepFirst ConflictPolicy = iota
	// Reject returns a *ConflictError, and an instrument that does nothing, for the second. It is for tests.
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
	disabled          bool
	global            bool // it is for Setup
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

// An Option configures New and Setup.
type Option interface{ apply(config) config }

type optionFunc func(config) config

func (f optionFunc) apply(c config) config { return f(c) }

// WithService names the service and its version in the resource, and so in target_info. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win over it, as the operator wins over the author.
func WithService(name, version string) Option {
	return optionFunc(func(c config) config { c.name, c.version = name, version; return c })
}

// WithResource adds attributes to the resource. The environment and WithService win over it.
func WithResource(r *resource.Resource) Option {
	return optionFunc(func(c config) config { c.resource = r; return c })
}

// WithView adds views. An instrument that a view gives another name, unit or kind of aggregation is matched with
// others when it is collected, not when it is created.
func WithView(v ...sdkmetric.View) Option {
	return optionFunc(func(c config) config { c.views = append(c.views, v...); return c })
}

// WithReader adds a reader: a test's ManualReader, or a PeriodicReader with any exporter. It gets what the SDK has,
// without the repairs that WithMetricExporter makes. The Provider shuts it down. A reader belongs to one Provider.
func WithReader(r sdkmetric.Reader) Option {
	return optionFunc(func(c config) config {
		if r != nil {
			c.readers = append(c.readers, r)
		}
		return c
	})
}

// WithMetricExporter pushes metrics through an exporter, such as one of otlpmetricgrpc, every
// OTEL_METRIC_EXPORT_INTERVAL, beside those that the environment names. What is pushed agrees with the page. The
// Provider shuts the exporter down.
func WithMetricExporter(e sdkmetric.Exporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.metricExporters = append(c.metricExporters, exporterTo[sdkmetric.Exporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithSpanExporter turns traces on and sends them through an exporter, such as one of otlptracegrpc, beside those
// that the environment names. OTEL_TRACES_SAMPLER and OTEL_BSP_ variables hold. The Provider shuts the exporter down.
func WithSpanExporter(e sdktrace.SpanExporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.spanExporters = append(c.spanExporters, exporterTo[sdktrace.SpanExporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithGatherer serves the metrics of code that is still on client_golang on the same page, merged with ours where
// the two meet, and pushes them with ours. A gatherer that fails, panics or hangs costs the page only its own families.
// With package promguard the page of the default registry has them too: do not serve both in prometheus.Gatherers, or
// these metrics appear twice.
//
// client_golang does not keep who registered what: a conflict names the code that called WithGatherer. Collectors
// registered with [Provider.Registerer], or with the default registry under package promguard, are named one by one.
// If a collector panics that was registered through prometheus.WrapRegistererWith, the process ends, as it does without a
// Provider. With Provider.Registerer, and the default registry under promguard, it does not.
func WithGatherer(g prometheus.Gatherer) Option {
	from := given{g, callSite().String()}
	return optionFunc(func(c config) config {
		if g != nil {
			c.gatherers = append(c.gatherers, from)
		}
		return c
	})
}

// A given gatherer is one, and the code that gave it.
type given struct {
	gatherer prometheus.Gatherer
	site     string
}

// WithLogger sets the logger of the Provider: for conflicts, for callbacks, collectors and pushes that fail, and, with
// Setup, for what OpenTelemetry logs. The default, and nil, is slog's default logger at the time of each message. Before
// Setup is complete OpenTelemetry, and the warning about measurements lost before Setup, use slog's default logger.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c config) config { c.log.to = l; return c })
}

// WithScopeLabels adds otel_scope_name, otel_scope_version, otel_scope_schema_url and a scope's attributes to each
// series, which keeps equal instruments of different scopes apart. It is off by default.
func WithScopeLabels() Option {
	return optionFunc(func(c config) config { c.scopeLabels = true; return c })
}

// WithCardinalityLimit bounds the series of each instrument; what is beyond goes into one series with the label
// otel_metric_overflow="true". The default is 2000; 0 or less is no limit.
func WithCardinalityLimit(perInstrument int) Option {
	return optionFunc(func(c config) config { c.cardinalityLimit = perInstrument; return c })
}

// WithConflictPolicy chooses between KeepFirst, the default, and Reject.
func WithConflictPolicy(p ConflictPolicy) Option {
	return optionFunc(func(c config) config { c.policy = p; return c })
}

// WithCallbackTimeout bounds each run of each observable callback. The default is one second. A callback that
// takes longer is left alone until it returns; until then its instruments have no values.
func WithCallbackTimeout(d time.Duration) Option {
	return optionFunc(func(c config) config {
		if d > 0 {
			c.callbackTimeout = d
		}
		return c
	})
}

// WithoutPrometheus leaves /metrics out: Handler answers 404. Only pushes and readers given by WithReader collect.
func WithoutPrometheus() Option {
	return optionFunc(func(c config) config { c.withoutPrometheus = true; return c })
}

// WithoutRuntime leaves out the metrics of the Go runtime and of the process, which are on by default.
func WithoutRuntime() Option {
	return optionFunc(func(c config) config { c.withoutRuntime = true; return c })
}

// WithoutPush takes no account of OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_ variables: only
// exporters given by options are used. It is for tests, and for programs that must not send anything.
func WithoutPush() Option {
	return optionFunc(func(c config) config { c.withoutPush = true; return c })
}

// buildResource merges, from the weakest to the strongest: the SDK's defaults, WithResource, WithService, the
// environment.
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
		// Schema URLs may differ between the parts; the attributes are what counts.
		if res, err = resource.Merge(res, resource.NewSchemaless(rule.SoundAttributes(r.Attributes())...)); err != nil {
			return nil, fmt.Errorf("telemetry: resource: %w", err)
		}
	}
	return res, nil
}
