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
	// KeepFirst merges or renames the second instrument and reports the conflict. It is the default, and meant for
	// production: creating an instrument never fails because of a conflict.
	KeepFirst ConflictPolicy = iota
	// Reject returns, for the second instrument, a *ConflictError and an instrument that does nothing. It is meant
	// for tests.
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
	global            bool // Setup made it
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

// WithService sets the service's name and version in the resource, and so in target_info. OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES win over it, because the operator decides over the author.
func WithService(name, version string) Option {
	return optionFunc(func(c config) config { c.name, c.version = name, version; return c })
}

// WithResource adds attributes to the resource. The environment and WithService win over it.
func WithResource(r *resource.Resource) Option {
	return optionFunc(func(c config) config { c.resource = r; return c })
}

// WithView adds views. If a view changes the name, unit or aggregation of an instrument, conflicts of that instrument
// are found when it is collected, not when it is created.
func WithView(v ...sdkmetric.View) Option {
	return optionFunc(func(c config) config { c.views = append(c.views, v...); return c })
}

// WithReader adds a reader: a test's ManualReader, or a PeriodicReader with any exporter. It gets the SDK's own data,
// without the repairs that WithMetricExporter makes. The Provider shuts it down. Do not give one reader to two
// Providers.
func WithReader(r sdkmetric.Reader) Option {
	return optionFunc(func(c config) config {
		if r != nil {
			c.readers = append(c.readers, r)
		}
		return c
	})
}

// WithMetricExporter pushes metrics through an exporter, such as one of otlpmetricgrpc, every
// OTEL_METRIC_EXPORT_INTERVAL, in addition to the exporters that the environment names. The pushed metrics agree with
// the page. The Provider shuts the exporter down.
func WithMetricExporter(e sdkmetric.Exporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.metricExporters = append(c.metricExporters, exporterTo[sdkmetric.Exporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithSpanExporter turns traces on and sends spans through an exporter, such as one of otlptracegrpc, in addition to
// the exporters that the environment names. The OTEL_TRACES_SAMPLER and OTEL_BSP_ variables apply. The Provider shuts
// the exporter down.
func WithSpanExporter(e sdktrace.SpanExporter) Option {
	return optionFunc(func(c config) config {
		if e != nil {
			c.spanExporters = append(c.spanExporters, exporterTo[sdktrace.SpanExporter]{e, fmt.Sprintf("%T", e)})
		}
		return c
	})
}

// WithGatherer adds the metrics of code that still uses client_golang. They are served on the same page and pushed,
// merged with OpenTelemetry's. A gatherer that fails, panics or hangs costs the page only its own families. With
// package promguard, the page of the default registry has them too: do not serve both in prometheus.Gatherers, or
// these metrics appear twice.
//
// client_golang does not record who registered what, so a conflict names the code that called WithGatherer. Conflicts
// of collectors registered with [Provider.Registerer], or with the default registry under package promguard, name the
// code that registered each. If a collector registered through prometheus.WrapRegistererWith panics in a gatherer,
// the process ends, as it does without a Provider. With Provider.Registerer, or the default registry under promguard,
// it does not.
func WithGatherer(g prometheus.Gatherer) Option {
	from := given{g, callSite().String()}
	return optionFunc(func(c config) config {
		if g != nil {
			c.gatherers = append(c.gatherers, from)
		}
		return c
	})
}

// given is a gatherer and the code that passed it to WithGatherer.
type given struct {
	gatherer prometheus.Gatherer
	site     string
}

// WithLogger sets the logger of the Provider. It logs conflicts, failures of callbacks, collectors and pushes, and,
// with Setup, what OpenTelemetry logs. The default, and nil, is slog's default logger at the time of each message.
// Until Setup returns, OpenTelemetry and the warning about measurements lost before Setup use slog's default logger.
func WithLogger(l *slog.Logger) Option {
	return optionFunc(func(c config) config { c.log.to = l; return c })
}

// WithScopeLabels adds otel_scope_name, otel_scope_version, otel_scope_schema_url and the scope's attributes to each
// series, so that equal instruments of different scopes are separate series. It is off by default.
func WithScopeLabels() Option {
	return optionFunc(func(c config) config { c.scopeLabels = true; return c })
}

// WithCardinalityLimit bounds the series of each instrument. Further ones are summed in one series with the label
// otel_metric_overflow="true". The default is 2000; 0 or less means no limit.
func WithCardinalityLimit(perInstrument int) Option {
	return optionFunc(func(c config) config { c.cardinalityLimit = perInstrument; return c })
}

// WithConflictPolicy chooses between KeepFirst, the default, and Reject.
func WithConflictPolicy(p ConflictPolicy) Option {
	return optionFunc(func(c config) config { c.policy = p; return c })
}

// WithCallbackTimeout bounds each run of an observable callback. The default is one second; 0 or less is ignored. A
// callback that takes longer is not started again until it returns; until then its instruments have no values.
func WithCallbackTimeout(d time.Duration) Option {
	return optionFunc(func(c config) config {
		if d > 0 {
			c.callbackTimeout = d
		}
		return c
	})
}

// WithoutPrometheus disables /metrics: Handler answers 404. Only pushes and the readers of WithReader collect.
func WithoutPrometheus() Option {
	return optionFunc(func(c config) config { c.withoutPrometheus = true; return c })
}

// WithoutRuntime leaves out the metrics of the Go runtime and of the process, which are on by default.
func WithoutRuntime() Option {
	return optionFunc(func(c config) config { c.withoutRuntime = true; return c })
}

// WithoutPush ignores OTEL_METRICS_EXPORTER, OTEL_TRACES_EXPORTER and the OTEL_EXPORTER_OTLP_ variables: only
// exporters given by options are used. It is meant for tests, and for programs that must not send anything.
func WithoutPush() Option {
	return optionFunc(func(c config) config { c.withoutPush = true; return c })
}

// buildResource merges these resources; later ones win: the SDK's defaults, WithResource, WithService, the
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
		// Schema URLs may differ between the parts; only the attributes matter.
		if res, err = resource.Merge(res, resource.NewSchemaless(rule.SoundAttributes(r.Attributes())...)); err != nil {
			return nil, fmt.Errorf("telemetry: resource: %w", err)
		}
	}
	return res, nil
}
