package telemetry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
)

// This file reads OpenTelemetry's environment variables. The exporters and the SDK read most of them too, but replace
// a wrong value by a default, so that data would be lost, or sent without TLS. Here a wrong value is an error that names
// the variable. An unknown word is ignored with a warning, as the specification demands, except for exporters and
// protocols. See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables.

const (
	metricsSignal = "METRICS"
	tracesSignal  = "TRACES"
)

const (
	otlpExporter    = "otlp"
	consoleExporter = "console"
)

const (
	protocolGRPC = "grpc"
	protocolHTTP = "http/protobuf"
)

// env returns the value of a variable, without the space around it.
func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// otlpVariable returns the name of the variable that applies to a signal: its own if that is set, or else the general
// one.
func otlpVariable(signal, name string) string {
	if own := "OTEL_EXPORTER_OTLP_" + signal + "_" + name; env(own) != "" {
		return own
	}
	return "OTEL_EXPORTER_OTLP_" + name
}

// wrong returns an error about a variable. The caller must leave out values that may be secret.
func wrong(name, format string, args ...any) error {
	return fmt.Errorf("telemetry: %s %s", name, fmt.Sprintf(format, args...))
}

// exportersOf returns the exporters that OTEL_METRICS_EXPORTER or OTEL_TRACES_EXPORTER asks for. If it is not set,
// the specification's default, otlp, applies only if an endpoint is set; otherwise nothing is pushed.
func exportersOf(log voice, signal string) ([]string, error) {
	name := "OTEL_" + signal + "_EXPORTER"
	value := env(name)
	if value == "" {
		if env(otlpVariable(signal, "ENDPOINT")) != "" {
			return []string{otlpExporter}, nil
		}
		return nil, nil
	}
	var out []string
	words := slices.DeleteFunc(wordsOf(log, name, value), func(w string) bool { return w == "" })
	for _, w := range words {
		switch w = strings.ToLower(w); {
		case w == otlpExporter, w == consoleExporter:
			out = append(out, w)
		case w == "prometheus" && signal == metricsSignal: // the page is always served
		case w == "none" && len(words) == 1:
		case signal == metricsSignal:
			return nil, wrong(name, "is %q: want otlp, console, prometheus (the page, which is always served), or none alone", value)
		default:
			return nil, wrong(name, "is %q: want otlp, console, or none alone", value)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// An otlpTarget says where to push, and how.
type otlpTarget struct {
	protocol string
	endpoint string // for logs; without credentials
	named    bool   // whether a variable sets it; otherwise it is the specification's default, without TLS
}

// otlpTargetOf checks every variable of a signal's OTLP exporter.
func otlpTargetOf(log voice, signal string) (otlpTarget, error) {
	v := func(name string) (string, string) {
		name = otlpVariable(signal, name)
		return name, env(name)
	}
	t := otlpTarget{protocol: protocolHTTP}
	var errs []error
	name, value := v("PROTOCOL")
	switch value {
	case "":
	case protocolGRPC, protocolHTTP:
		t.protocol = value
	default:
		errs = append(errs, wrong(name, "is %q: want grpc or http/protobuf", value))
	}
	name, value = v("ENDPOINT")
	u, err := checkEndpoint(name, value, t.protocol)
	errs = append(errs, err)
	t.named, t.endpoint = value != "", "http://localhost:4318"
	if t.protocol == protocolGRPC {
		t.endpoint = "http://localhost:4317"
	}
	if u != nil {
		t.endpoint = u.Redacted()
	}
	name, value = v("INSECURE")
	errs = append(errs, checkInsecure(name, value, u))
	name, value = v("HEADERS")
	errs = append(errs, checkHeaders(log, name, value))
	name, value = v("TIMEOUT")
	errs = append(errs, checkMilliseconds(name, value))
	name, value = v("CERTIFICATE")
	errs = append(errs, checkCertificate(name, value))
	errs = append(errs, checkClientCertificate(signal))
	name, value = v("COMPRESSION")
	warnUnknown(log, name, value, "gzip", "none")
	return t, errors.Join(errs...)
}

// warnUnknown warns that the value of a variable is not one of the known ones, and is ignored.
func warnUnknown(log voice, name, value string, known ...string) {
	if value != "" && !slices.Contains(known, strings.ToLower(value)) {
		log.warn("an environment variable is ignored, because its value is unknown",
			"name", name, "value", value, "want", strings.Join(known, ", "))
	}
}

func checkEndpoint(name, value, protocol string) (*url.URL, error) {
	if value == "" {
		return nil, nil
	}
	u, err := url.Parse(value)
	switch {
	case err != nil: // its text repeats the value, which may hold a password
		return nil, wrong(name, "is not a URL: want one such as http://collector:4318")
	case u.User != nil:
		return nil, wrong(name, "holds credentials, which the exporter does not send: put them into OTEL_EXPORTER_OTLP_HEADERS")
	case u.Scheme == "http" || u.Scheme == "https":
		if u.Host == "" {
			return nil, wrong(name, "is %q, without a host: want one such as http://collector:4318", value)
		}
		return u, checkPort(name, u)
	case protocol == protocolGRPC && slices.Contains([]string{"unix", "unix-abstract", "dns", "passthrough"}, u.Scheme):
		return u, nil
	}
	return nil, wrong(name, "is %q, without http:// or https://: want one such as http://collector:4318", value)
}

func checkPort(name string, u *url.URL) error {
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return wrong(name, "has port %s: want 1 to 65535", p)
		}
	}
	return nil
}

// checkInsecure refuses values that contradict the endpoint: plain text to an https address, or TLS to an http one.
func checkInsecure(name, value string, u *url.URL) error {
	switch strings.ToLower(value) {
	case "":
	case "true":
		if u != nil && u.Scheme == "https" {
			return wrong(name, "is true, but the endpoint is https: leave one out")
		}
	case "false":
		if u != nil && u.Scheme == "http" {
			return wrong(name, "is false, but the endpoint is http: write https, or leave the variable out")
		}
	default:
		return wrong(name, "is %q: want true or false", value)
	}
	return nil
}

// checkHeaders checks key=value,key=value with escaped values. Headers are secret: no error repeats one.
func checkHeaders(log voice, name, value string) error {
	if value == "" {
		return nil
	}
	for i, pair := range wordsOf(log, name, value) {
		if pair == "" {
			continue
		}
		k, v, found := strings.Cut(pair, "=")
		plain, err := url.PathUnescape(v)
		switch {
		case !found:
			return wrong(name, "has no = in pair %d: want key=value,key=value", i+1)
		case !headerKey(strings.TrimSpace(k)):
			return wrong(name, "has an invalid header name in pair %d", i+1)
		case err != nil:
			return wrong(name, "has a value in pair %d that is not URL-escaped: write %% as %%25", i+1)
		case strings.ContainsFunc(plain, unicode.IsControl):
			return wrong(name, "has a control character in the value of pair %d", i+1)
		}
	}
	return nil
}

// headerKey reports whether HTTP and gRPC accept s as the name of a header.
func headerKey(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
	})
}

// checkMilliseconds accepts a number above 0, and an empty value, which stands for the default.
func checkMilliseconds(name, value string) error {
	return checkNumber(name, value, "milliseconds", math.MaxInt64/int64(time.Millisecond))
}

func checkNumber(name, value, unit string, most int64) error {
	if value == "" {
		return nil
	}
	if n, err := strconv.ParseInt(value, 10, 64); err != nil || n <= 0 || n > most {
		return wrong(name, "is %q: want a whole number of %s above 0, without a unit", value, unit)
	}
	return nil
}

func checkCertificate(name, file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return wrong(name, "cannot be read: %v", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return wrong(name, "is %s, which holds no PEM certificate", file)
	}
	return nil
}

func checkClientCertificate(signal string) error {
	certName, keyName := otlpVariable(signal, "CLIENT_CERTIFICATE"), otlpVariable(signal, "CLIENT_KEY")
	cert, key := env(certName), env(keyName)
	switch {
	case cert == "" && key == "":
		return nil
	case cert == "":
		return wrong(keyName, "is set, but %s is not", certName)
	case key == "":
		return wrong(certName, "is set, but %s is not", keyName)
	}
	if _, err := tls.LoadX509KeyPair(cert, key); err != nil {
		return wrong(certName, "and %s do not make a key pair: %v", keyName, err)
	}
	return nil
}

// checkMetricsEnvironment checks the variables of metrics that are not the exporter's. pushing says whether any
// exporter pushes.
func checkMetricsEnvironment(log voice, pushing bool) error {
	warnUnknown(log, "OTEL_METRICS_EXEMPLAR_FILTER", env("OTEL_METRICS_EXEMPLAR_FILTER"), "trace_based", "always_on", "always_off")
	if !pushing {
		return nil
	}
	const temporality = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
	warnUnknown(log, temporality, env(temporality), "cumulative", "delta", "lowmemory")
	const aggregation = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
	warnUnknown(log, aggregation, env(aggregation), "explicit_bucket_histogram", "base2_exponential_bucket_histogram")
	return errors.Join(
		checkMilliseconds("OTEL_METRIC_EXPORT_INTERVAL", env("OTEL_METRIC_EXPORT_INTERVAL")),
		checkMilliseconds("OTEL_METRIC_EXPORT_TIMEOUT", env("OTEL_METRIC_EXPORT_TIMEOUT")),
	)
}

// maxSpans bounds the queue of spans that OTEL_BSP_… may ask for.
const maxSpans = 1_000_000

func checkTracesEnvironment(log voice) error {
	const sampler, arg = "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"
	warnUnknown(log, sampler, env(sampler), "always_on", "always_off", "traceidratio",
		"parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio")
	if ratio, err := strconv.ParseFloat(env(arg), 64); strings.HasSuffix(strings.ToLower(env(sampler)), "traceidratio") &&
		env(arg) != "" && (err != nil || !(ratio >= 0 && ratio <= 1)) {
		warnUnknown(log, arg, env(arg), "a number from 0 to 1")
	}
	for _, limit := range []string{
		"OTEL_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
		"OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
		"OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_SPAN_LINK_COUNT_LIMIT",
	} {
		if _, err := strconv.Atoi(env(limit)); err != nil && env(limit) != "" {
			warnUnknown(log, limit, env(limit), "a whole number; below 0 is no limit")
		}
	}
	return errors.Join(
		checkMilliseconds("OTEL_BSP_SCHEDULE_DELAY", env("OTEL_BSP_SCHEDULE_DELAY")),
		checkMilliseconds("OTEL_BSP_EXPORT_TIMEOUT", env("OTEL_BSP_EXPORT_TIMEOUT")),
		checkNumber("OTEL_BSP_MAX_QUEUE_SIZE", env("OTEL_BSP_MAX_QUEUE_SIZE"), "spans", maxSpans),
		checkNumber("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", env("OTEL_BSP_MAX_EXPORT_BATCH_SIZE"), "spans", maxSpans),
	)
}

// resourceFromEnvironment reads OTEL_RESOURCE_ATTRIBUTES, key=value,key=value with URL-escaped values, and
// OTEL_SERVICE_NAME, which wins. Empty pairs, which templates often leave, are ignored with a warning.
func resourceFromEnvironment(log voice) (*resource.Resource, error) {
	const name = "OTEL_RESOURCE_ATTRIBUTES"
	var attrs []attribute.KeyValue
	for i, pair := range wordsOf(log, name, env(name)) {
		if pair == "" {
			continue
		}
		k, v, found := strings.Cut(pair, "=")
		k = strings.TrimSpace(k)
		plain, err := url.PathUnescape(strings.TrimSpace(v))
		switch {
		case !found:
			return nil, wrong(name, "has no = in pair %d, %q: want key=value,key=value", i+1, pair)
		case k == "":
			return nil, wrong(name, "has no key in pair %d, %q: want key=value,key=value", i+1, pair)
		case err != nil:
			return nil, wrong(name, "has a value in pair %d, %q, that is not URL-escaped: write %% as %%25", i+1, pair)
		}
		attrs = append(attrs, attribute.String(k, plain))
	}
	if service := env("OTEL_SERVICE_NAME"); service != "" {
		attrs = append(attrs, attribute.String("service.name", service))
	}
	return resource.NewSchemaless(attrs...), nil
}

// wordsOf splits a list of words or pairs. Empty ones stay, as "", and are reported once for the variable.
func wordsOf(log voice, name, value string) []string {
	if value == "" {
		return nil
	}
	pairs := strings.Split(value, ",")
	empty := false
	for i, p := range pairs {
		pairs[i] = strings.TrimSpace(p)
		empty = empty || pairs[i] == ""
	}
	if empty {
		log.warn("an environment variable has an empty word or pair, which is ignored; is there a comma too many?", "name", name)
	}
	return pairs
}
