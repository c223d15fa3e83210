package telemetry

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
)

// An Instrument describes an instrument that some code requested. In a [Conflict] it may also describe a metric of
// client_golang.
type Instrument struct {
	Scope       instrumentation.Scope    // of the meter; for a metric of client_golang, its Name says where it came from
	Name        string                   // as its author wrote it
	Prometheus  string                   // the family that it is exposed under; "" if it was refused
	Kind        sdkmetric.InstrumentKind // 0 if unknown, and for a summary of client_golang
	Number      string                   // "int64" or "float64"
	Unit        string                   // as its author wrote it, such as "s" or "{request}"
	Description string                   // as its author wrote it
	// Site is the place in the code that requested the instrument, outside OpenTelemetry, client_golang and this library:
	// import path, file and line, as in "github.com/acme/pay/metrics.go:12". It is "" if that is not known.
	Site string
}

// String returns the definition and the place in the code, in one line.
func (i Instrument) String() string {
	var b strings.Builder
	if i.Number != "" {
		b.WriteString(i.Number + " ")
	}
	fmt.Fprintf(&b, "%s %q", kindName(i.Kind), i.Name)
	if i.Unit != "" {
		fmt.Fprintf(&b, " in %q", i.Unit)
	}
	if i.Description != "" {
		fmt.Fprintf(&b, " (%q)", i.Description)
	}
	b.WriteString(" " + i.whereabouts())
	return b.String()
}

// whereabouts returns the place in the code, or why it is not known.
func (i Instrument) whereabouts() string {
	switch {
	case strings.HasPrefix(i.Scope.Name, gathererScope):
		return "of " + i.Scope.Name + ", given at " + i.Site
	case i.Site != "":
		return "at " + i.Site
	case i.Scope.Name == "":
		return "at an unknown place"
	case strings.HasPrefix(i.Scope.Name, clientScope):
		return "of " + i.Scope.Name
	case i.Scope.Name == runtimeScope || i.Scope.Name == thisPackage || i.Scope.Name == processScope:
		return "of " + i.Scope.Name + ", made by New or Setup"
	}
	return "of " + i.Scope.Name + ", made by otel.Meter before Setup, so its place is unknown"
}

func kindName(k sdkmetric.InstrumentKind) string {
	switch k {
	case sdkmetric.InstrumentKindCounter:
		return "counter"
	case sdkmetric.InstrumentKindUpDownCounter:
		return "up-down counter"
	case sdkmetric.InstrumentKindHistogram:
		return "histogram"
	case sdkmetric.InstrumentKindGauge:
		return "gauge"
	case sdkmetric.InstrumentKindObservableCounter:
		return "observable counter"
	case sdkmetric.InstrumentKindObservableUpDownCounter:
		return "observable up-down counter"
	case sdkmetric.InstrumentKindObservableGauge:
		return "observable gauge"
	}
	return "metric"
}

// A Reason says what a conflict is about: mostly how two definitions of one family differ.
type Reason string

// The reasons, the most serious first. If two definitions differ in several ways, the Reason is the most serious one.
const (
	ReasonReserved    Reason = "Reserved"    // Prometheus needs the name, or an attribute's name, for itself
	ReasonKind        Reason = "Kind"        // counter, gauge, histogram …
	ReasonNumber      Reason = "Number"      // int64 or float64
	ReasonUnit        Reason = "Unit"        // the unit
	ReasonName        Reason = "Name"        // two names become one in Prometheus
	ReasonBuckets     Reason = "Buckets"     // the boundaries of histograms
	ReasonDescription Reason = "Description" // the HELP
	// ReasonLabels is about label names. It concerns only client_golang's metrics, because OpenTelemetry's instruments do
	// not fix theirs.
	ReasonLabels Reason = "Labels"
	// ReasonDuplicate means that one series has two values, of which gauges show the first, or that two equal metrics of
	// client_golang were registered.
	ReasonDuplicate   Reason = "Duplicate"
	ReasonCardinality Reason = "Cardinality" // the number of series has reached 80 % of the limit
	ReasonEncoding    Reason = "Encoding"    // an attribute's value is not UTF-8, or its key cannot be a label's name
)

var reasons = []Reason{
	ReasonReserved, ReasonKind, ReasonNumber, ReasonUnit, ReasonName, ReasonBuckets, ReasonDescription,
	ReasonLabels, ReasonDuplicate, ReasonCardinality, ReasonEncoding,
}

// A Resolution says how a conflict was resolved.
type Resolution string

// The resolutions.
const (
	Merged   Resolution = "Merged"   // one family has the measurements of both
	Renamed  Resolution = "Renamed"  // the second is exposed under a name that ends in its kind
	Repaired Resolution = "Repaired" // a label was renamed, or its value was made valid
	Kept     Resolution = "Kept"     // both are exposed as they are
	Limited  Resolution = "Limited"  // series beyond the limit are recorded to one, with otel_metric_overflow="true"
	// Rejected means that creating the instrument returned a *ConflictError, or that client_golang's Register returned an
	// AlreadyRegisteredError.
	Rejected Resolution = "Rejected"
)

// A Conflict says that two different definitions met in one Prometheus family, and how that was resolved. If only one
// instrument is involved (Reserved, Cardinality, Encoding), First and Second are equal.
type Conflict struct {
	Family     string // the Prometheus family over which the two met
	Reason     Reason
	Resolution Resolution
	First      Instrument // the earlier one
	Second     Instrument // the later one
	// Detail says what the two Instruments do not: different labels or boundaries, and what the page leaves out. It may
	// be empty.
	Detail string
}

// String returns one line that names every difference and both places in the code.
func (c Conflict) String() string {
	what := strings.ToLower(joinedReasons(c.reasons()))
	if i := strings.LastIndex(what, ", "); i > 0 {
		what = what[:i] + " and " + what[i+2:]
	}
	s := fmt.Sprintf("%s: %s, %s: ", c.Family, what, strings.ToLower(string(c.Resolution)))
	if c.First == c.Second {
		s += c.Second.String()
	} else {
		s += "first " + c.First.String() + ", then " + c.Second.String()
	}
	if c.Resolution == Renamed && c.First != c.Second {
		s += ", now " + c.Second.Prometheus
	}
	if c.Detail != "" {
		s += "; " + c.Detail
	}
	return s
}

// reasons returns the conflict's reason, and every other difference of the two.
func (c Conflict) reasons() []Reason {
	out := []Reason{c.Reason}
	if c.First == c.Second || c.Resolution == Kept {
		return out
	}
	add := func(r Reason, differ bool) {
		if differ && !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	a, b := c.First, c.Second
	theirs := strings.HasPrefix(a.Scope.Name, clientScope) || strings.HasPrefix(b.Scope.Name, clientScope)
	if !theirs { // client_golang has other kinds, numbers of one type, and names with suffixes
		add(ReasonKind, a.Kind != b.Kind)
		add(ReasonNumber, a.Number != b.Number)
		add(ReasonName, !strings.EqualFold(a.Name, b.Name))
		add(ReasonUnit, a.Unit != b.Unit)
	}
	add(ReasonDescription, a.Description != "" && b.Description != "" && a.Description != b.Description)
	return out
}

// A ConflictError is the error of creating an instrument that conflicts with an earlier one, under the policy [Reject].
// errors.As finds it.
type ConflictError struct{ Conflict Conflict }

// Error returns the conflict in one line.
func (e *ConflictError) Error() string { return "telemetry: conflict: " + e.Conflict.String() }

// A definition is what the author of an instrument specified.
type definition struct {
	name, unit, description string
	kind                    sdkmetric.InstrumentKind
	number                  string
	buckets                 []float64 // the boundaries known at creation; nil means the reader's default
}

func (d definition) class() rule.Class { return rule.ClassOf(d.kind) }

// compare decides what happens to the second definition of a family. Both have the same class. An empty Reason means
// no conflict: then they are merged.
func compare(first, second definition) (Reason, Resolution) {
	gauge := first.class() == rule.Gauge
	switch {
	case first.kind != second.kind && gauge:
		return ReasonKind, Renamed // one is set, the other is observed: the two cannot be combined
	case first.number != second.number && gauge:
		return ReasonNumber, Renamed
	case first.kind != second.kind:
		return ReasonKind, Merged
	case first.number != second.number:
		return ReasonNumber, Merged
	case first.unit != second.unit:
		return ReasonUnit, Merged
	case !strings.EqualFold(first.name, second.name):
		return ReasonName, Merged
	case !slices.Equal(first.buckets, second.buckets):
		return ReasonBuckets, Merged
	case describedDifferently(first, second):
		return ReasonDescription, Merged
	}
	return "", Merged
}

// describedDifferently is false if one description is empty: an empty one never wins.
func describedDifferently(first, second definition) bool {
	return first.description != "" && second.description != "" && first.description != second.description
}

// attrs returns the conflict for a structured log. A conflict of one instrument names it once.
func (c Conflict) attrs() []slog.Attr {
	out := []slog.Attr{
		slog.String("family", c.Family), slog.String("reason", joinedReasons(c.reasons())),
		slog.String("resolution", string(c.Resolution)), slog.String("first", c.First.String()),
	}
	if c.Detail != "" {
		out = append(out, slog.String("detail", c.Detail))
	}
	if c.First == c.Second {
		return out
	}
	if c.First.Prometheus != c.Family {
		out = append(out, slog.String("first_family", c.First.Prometheus))
	}
	return append(out, slog.String("second", c.Second.String()), slog.String("second_family", c.Second.Prometheus))
}

func joinedReasons(rs []Reason) string {
	out := make([]string, len(rs))
	for i, r := range rs {
		out[i] = string(r)
	}
	return strings.Join(out, ", ")
}
