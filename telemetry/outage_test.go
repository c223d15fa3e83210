package telemetry_test

import (
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// A module stands for one package of the backend that did not start: it defines the same metric as others, with its
// own help text and labels.
type module struct {
	requests  metric.Int64Counter
	durations metric.Float64Histogram
	messages  metric.Int64Counter
	labels    metric.MeasurementOption
}

func newModule(t *testing.T, m metric.Meter, language int, label attribute.KeyValue) module {
	help := [][3]string{
		{"Total number of HTTP requests", "HTTP request latency in seconds", "Messages sent"},
		{"HTTP请求总数", "HTTP请求耗时", "发送消息数"},
	}[language]
	var mod module
	var errs [3]error
	mod.requests, errs[0] = m.Int64Counter("http_requests_total", metric.WithDescription(help[0]))
	mod.durations, errs[1] = m.Float64Histogram("http_request_duration_seconds", metric.WithDescription(help[1]))
	mod.messages, errs[2] = m.Int64Counter("messages_sent_total", metric.WithDescription(help[2]))
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	mod.labels = metric.WithAttributes(label)
	return mod
}

func (m module) work() {
	m.requests.Add(ctx, 1, m.labels)
	m.durations.Record(ctx, .2, m.labels)
	m.messages.Add(ctx, 1, m.labels)
}

// The outage that this package exists for: with client_golang the second module panics at start; with the SDK and the
// stock exporter, modules that share a meter and labels answer every scrape with 500.
func TestTheOutage(t *testing.T) {
	for name, meters := range map[string][2]string{
		"two packages": {"github.com/acme/api", "github.com/acme/push"},
		"one package":  {"github.com/acme/api", "github.com/acme/api"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			api := newModule(t, p.Meter(meters[0]), 0, attribute.String("path", "/a"))
			push := newModule(t, p.Meter(meters[1]), 1, attribute.String("topic", "b"))
			same := newModule(t, p.Meter(meters[1]), 1, attribute.String("path", "/a"))
			for _, m := range []module{api, push, same} {
				m.work()
			}
			page := scrape(t, p)
			for _, family := range []string{"http_requests_total", "messages_sent_total"} {
				if got := value(page.series(family, "path=/a")); got != 2 {
					t.Errorf(`%s{path="/a"} = %v, want 2`, family, got)
				}
				if got := value(page.series(family, "topic=b")); got != 1 {
					t.Errorf(`%s{topic="b"} = %v, want 1`, family, got)
				}
			}
			if got := page.series("http_request_duration_seconds", "path=/a").GetHistogram().GetSampleCount(); got != 2 {
				t.Errorf("durations counted %d, want 2", got)
			}
			if got := page["http_requests_total"].GetHelp(); got != "Total number of HTTP requests" {
				t.Errorf("HELP is %q", got)
			}
			var told []telemetry.Reason
			for _, c := range p.Conflicts() {
				told = append(told, c.Reason)
				if c.First.Site == "" || c.Second.Site == "" {
					t.Errorf("a site is missing: %v", c)
				}
			}
			if len(told) != 3 {
				t.Errorf("told %v, want 3 conflicts", told)
			}
		})
	}
}
