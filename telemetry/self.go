package telemetry

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
)

// selfMetrics are the metrics of a Provider about itself. They are needed before its meters exist: until then stand-ins
// keep what is counted, as for the instruments of Meter before Setup.
type selfMetrics struct {
	conflicts, callbackErrors, scrapeErrors, exports, exportErrors standIn
	options                                                        map[selfLabel]metric.AddOption
}

type selfLabel struct{ signal, reason string }

func newSelfMetrics() *selfMetrics {
	counter := func(name string) standIn {
		return newStandIn(definition{name: name, kind: sdkmetric.InstrumentKindCounter, number: int64Number})
	}
	s := &selfMetrics{
		conflicts: counter("telemetry.conflicts"), callbackErrors: counter("telemetry.callback.errors"),
		scrapeErrors: counter("telemetry.scrape.errors"),
		exports:      counter("telemetry.exports"), exportErrors: counter("telemetry.export.errors"),
		options: map[selfLabel]metric.AddOption{},
	}
	option := func(l selfLabel, attrs ...attribute.KeyValue) {
		s.options[l] = metric.WithAttributeSet(attribute.NewSet(attrs...))
	}
	option(selfLabel{})
	for _, r := range failures {
		option(selfLabel{reason: r}, attribute.String("reason", r))
	}
	for _, r := range reasons {
		option(selfLabel{reason: string(r)}, attribute.String("reason", string(r)))
	}
	for _, signal := range []string{signalMetrics, signalTraces} {
		option(selfLabel{signal: signal}, attribute.String("signal", signal))
		for _, r := range exportFailures {
			option(selfLabel{signal, r}, attribute.String("signal", signal), attribute.String("reason", r))
		}
	}
	return s
}

func (s *selfMetrics) add(to standIn, n int64, l selfLabel) {
	to.(metric.Int64Counter).Add(context.Background(), n, s.options[l])
}

// conflict counts a conflict.
func (s *selfMetrics) conflict(r Reason) { s.add(s.conflicts, 1, selfLabel{reason: string(r)}) }

func (s *selfMetrics) callbackFailed() { s.add(s.callbackErrors, 1, selfLabel{}) }

func (s *selfMetrics) scrapeFailed(reason string) {
	s.add(s.scrapeErrors, 1, selfLabel{reason: reason})
}

// exported counts a push, and that it failed unless failure is "".
func (s *selfMetrics) exported(signal, failure string) {
	s.add(s.exports, 1, selfLabel{signal: signal})
	if failure != "" {
		s.add(s.exportErrors, 1, selfLabel{signal, failure})
	}
}

// make creates the metrics that can change in this Provider, with all their series at zero.
func (s *selfMetrics) make(m metric.Meter, read bool, signals []string) error {
	var errs []error
	create := func(of standIn, name, description string, labels ...selfLabel) {
		i, err := m.Int64Counter(name, metric.WithDescription(description))
		errs = append(errs, err)
		of.settle(i)
		of.seal()
		for _, l := range labels {
			s.add(of, 0, l)
		}
	}
	var all, faults, pushed, unpushed []selfLabel
	for _, r := range reasons {
		all = append(all, selfLabel{reason: string(r)})
	}
	for _, r := range failures {
		faults = append(faults, selfLabel{reason: r})
	}
	for _, signal := range signals {
		pushed = append(pushed, selfLabel{signal: signal})
		for _, r := range exportFailures {
			unpushed = append(unpushed, selfLabel{signal, r})
		}
	}
	create(s.conflicts, "telemetry.conflicts", "Conflicts found between instruments, or between attributes and the rules of Prometheus.", all...)
	create(s.callbackErrors, "telemetry.callback.errors",
		"Runs of observable callbacks that failed, panicked or were too late.", selfLabel{})
	if read {
		create(s.scrapeErrors, "telemetry.scrape.errors", "Faults that cost a scrape some of its metrics.", faults...)
	}
	if len(signals) > 0 {
		create(s.exports, "telemetry.exports", "Pushes of metrics or traces, including those that failed.", pushed...)
		create(s.exportErrors, "telemetry.export.errors", "Pushes of metrics or traces that failed.", unpushed...)
	}
	return errors.Join(errs...)
}
