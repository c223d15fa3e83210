package foreign

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
)

// AppendLabels appends a key of the metric's labels and timestamp, which is equal for metrics of one series. It uses the
// label names of the text format, in which different names may become equal.
func AppendLabels(b []byte, m *dto.Metric) []byte {
	labels := m.Label
	if slices.ContainsFunc(labels, func(l *dto.LabelPair) bool { return LegacyLabel(l.GetName()) != l.GetName() }) {
		labels = slices.Clone(labels)
		slices.SortFunc(labels, func(a, b *dto.LabelPair) int {
			return strings.Compare(LegacyLabel(a.GetName()), LegacyLabel(b.GetName()))
		})
	}
	for _, l := range labels {
		if l.GetValue() == "" { // no label, in Prometheus's data model
			continue
		}
		b = append(b, LegacyLabel(l.GetName())...)
		b = append(b, 0xff)
		b = append(b, l.GetValue()...)
		b = append(b, 0xff)
	}
	if m.TimestampMs != nil {
		b = fmt.Appendf(b, "%d", m.GetTimestampMs())
	}
	return b
}

// LegacyLabel returns the name that a label has in the text format.
func LegacyLabel(name string) string {
	if model.LegacyValidation.IsValidLabelName(name) {
		return name
	}
	return model.EscapeName(name, model.UnderscoreEscaping)
}

// Compare orders metrics of a family as client_golang does.
func Compare(a, b *dto.Metric) int {
	if len(a.Label) != len(b.Label) {
		return cmp.Compare(len(a.Label), len(b.Label))
	}
	for i := range a.Label {
		if c := strings.Compare(a.Label[i].GetValue(), b.Label[i].GetValue()); c != 0 {
			return c
		}
	}
	return cmp.Compare(a.GetTimestampMs(), b.GetTimestampMs())
}
