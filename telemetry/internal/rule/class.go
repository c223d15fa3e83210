package rule

import (
	dto "github.com/prometheus/client_model/go"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/prometheus/otlptranslator"
)

// A Class is the kind of data that an instrument has on the page. Two instruments of one Class can share a family.
// Two of different classes cannot, even if both have the TYPE gauge: values that add up and values that replace each
// other have no common meaning.
type Class int

// The classes.
const (
	Unknown Class = iota
	Counter
	UpDown
	Gauge
	Histogram
)

// ClassOf returns the class of a kind of instrument.
func ClassOf(k sdkmetric.InstrumentKind) Class {
	switch k {
	case sdkmetric.InstrumentKindCounter, sdkmetric.InstrumentKindObservableCounter:
		return Counter
	case sdkmetric.InstrumentKindUpDownCounter, sdkmetric.InstrumentKindObservableUpDownCounter:
		return UpDown
	case sdkmetric.InstrumentKindGauge, sdkmetric.InstrumentKindObservableGauge:
		return Gauge
	case sdkmetric.InstrumentKindHistogram:
		return Histogram
	}
	return Unknown
}

// Suffix returns the ending of a renamed instrument of the Class.
func (c Class) Suffix() string {
	switch c {
	case Counter:
		return "counter"
	case UpDown:
		return "updowncounter"
	case Gauge:
		return "gauge"
	case Histogram:
		return "histogram"
	}
	return "metric"
}

func (c Class) translatorType() otlptranslator.MetricType {
	switch c {
	case Counter:
		return otlptranslator.MetricTypeMonotonicCounter
	case UpDown:
		return otlptranslator.MetricTypeNonMonotonicCounter
	case Gauge:
		return otlptranslator.MetricTypeGauge
	case Histogram:
		return otlptranslator.MetricTypeHistogram
	}
	return otlptranslator.MetricTypeUnknown
}

// Kind returns a kind of the Class, for metrics of which only the data is known.
func (c Class) Kind() sdkmetric.InstrumentKind {
	switch c {
	case Counter:
		return sdkmetric.InstrumentKindCounter
	case UpDown:
		return sdkmetric.InstrumentKindUpDownCounter
	case Gauge:
		return sdkmetric.InstrumentKindGauge
	}
	return sdkmetric.InstrumentKindHistogram
}

// Type returns the TYPE of the Class on the page.
func (c Class) Type() dto.MetricType {
	switch c {
	case Counter:
		return dto.MetricType_COUNTER
	case Histogram:
		return dto.MetricType_HISTOGRAM
	}
	return dto.MetricType_GAUGE
}
