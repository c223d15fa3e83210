package series

import (
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/table"
	"github.com/onemeter/onemeter/telemetry/internal/text"
)

// refresh adds the new series of an account, whose lock the caller holds. Call merge afterwards.
func (l *Lines) refresh(a *Account) {
	a.settle()
	for _, e := range a.takeFresh() {
		e.Value.state.Or(onPage)
		labels, done := rule.Labels(e.Set, a.Labels)
		a.repaired |= l.repaired(a, e.Set, done)
		l.altered = l.altered || done != 0 || labels.Len() != e.Set.Len()+len(a.Labels) ||
			slices.ContainsFunc(e.Set.ToSlice(), rule.Unsound)
		if !e.Value.has(offPage) {
			l.fresh = append(l.fresh, line{labels: text.Labels(labels), first: e})
		}
	}
	l.crowd(a)
}

// merge merges the new series into the lines, and returns the findings.
func (l *Lines) merge() []Finding {
	if fresh := l.fresh; len(fresh) > 0 {
		l.fresh = nil
		pack(fresh)
		slices.SortStableFunc(fresh, func(a, b line) int { return compareLabels(a.labels, b.labels) })
		l.lines = l.merged(l.lines, fresh)
	}
	found := l.findings
	l.findings = nil
	return found
}

// sweep drops lines whose series have ended, once there are many lines. It is needed if nobody reads the page.
func (l *Lines) sweep() {
	if len(l.lines) <= l.sweepAt {
		return
	}
	l.lines = slices.DeleteFunc(l.lines, func(ln line) bool {
		return !slices.ContainsFunc(ln.series(), func(e *entry) bool { return !e.Value.has(offPage) })
	})
	l.sweepAt = 2*len(l.lines) + 64
}

// repaired adds a finding if an account's attributes needed a repair for the first time.
func (l *Lines) repaired(a *Account, set attribute.Set, done rule.Repair) rule.Repair {
	fresh := done &^ a.repaired
	if fresh != 0 {
		l.findings = append(l.findings, Finding{Of: a, Repair: fresh, Set: set})
	}
	return fresh
}

func (l *Lines) crowd(a *Account) {
	if limit := a.rules.Limit; limit > 0 && !a.Unlimited && !a.crowded && a.series.Len()*5 >= limit*4 {
		a.crowded = true
		l.findings = append(l.findings, Finding{Of: a, Crowded: true})
	}
}

// packed is the approximate length of the texts that lines share, in bytes. One text for each series would take more
// memory, and one for all would keep the text of ended series.
const packed = 4096

// pack moves the labels of several lines into shared texts.
func pack(lines []line) {
	for len(lines) > 0 {
		n, size := 0, 0
		for n < len(lines) && size < packed {
			size += len(lines[n].labels)
			n++
		}
		var b strings.Builder
		b.Grow(size)
		for _, ln := range lines[:n] {
			b.WriteString(ln.labels)
		}
		all := b.String()
		for i := range lines[:n] {
			lines[i].labels, all = all[:len(lines[i].labels)], all[len(lines[i].labels):]
		}
		lines = lines[n:]
	}
}

// merged merges two sorted lists, and joins lines with equal labels.
func (l *Lines) merged(old, fresh []line) []line {
	out := make([]line, 0, len(old)+len(fresh))
	for len(old)+len(fresh) > 0 {
		var next line
		if len(fresh) == 0 || len(old) > 0 && compareLabels(old[0].labels, fresh[0].labels) <= 0 {
			next, old = old[0], old[1:]
		} else {
			next, fresh = fresh[0], fresh[1:]
		}
		if n := len(out); n > 0 && out[n-1].labels == next.labels {
			l.join(&out[n-1], next)
			continue
		}
		out = append(out, next)
	}
	return slices.Clip(out)
}

// join adds the series of a line to another line with equal labels. If two gauges collide, it adds a finding, unless one is
// the successor of the other.
func (l *Lines) join(to *line, from line) {
	all := to.series()
	for _, e := range from.series() {
		at, _ := slices.BinarySearchFunc(all, e, byAge)
		all = slices.Insert(all, at, e)
		first := all[0]
		if at == 0 {
			first = all[1] // e is now the first, so compare with the other
		}
		if first.Value.account == e.Value.account && table.Equal(&first.Set, &e.Set) {
			continue
		}
		l.altered = true
		if l.class == rule.Gauge {
			l.findings = append(l.findings, Finding{Of: all[0].Value.account, Other: all[max(at, 1)].Value.account})
		}
	}
	to.set(all)
}

// byAge orders series with equal labels: by their accounts, then by age.
func byAge(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.Value.account.Order, b.Value.account.Order), cmp.Compare(a.Value.started, b.Value.started))
}

// cutLabel splits off the first label.
func cutLabel(labels string) (name, value, rest string) {
	name, rest, _ = strings.Cut(labels, `="`) // a quote within a value has a backslash before it
	end := 0
	for rest[end] != '"' {
		if rest[end] == '\\' {
			end++
		}
		end++
	}
	return name, rest[:end], strings.TrimPrefix(rest[end+1:], ",")
}

// compareLabels orders series as client_golang does: by the number of labels, then by their values, then by their
// names.
func compareLabels(a, b string) int {
	if c := cmp.Compare(countLabels(a), countLabels(b)); c != 0 {
		return c
	}
	x, y := a, b
	for x != "" && y != "" {
		var v, w string
		_, v, x = cutLabel(x)
		_, w, y = cutLabel(y)
		if c := strings.Compare(unescape(v), unescape(w)); c != 0 {
			return c
		}
	}
	return strings.Compare(a, b)
}

func countLabels(labels string) (n int) {
	for ; labels != ""; n++ {
		_, _, labels = cutLabel(labels)
	}
	return n
}

var escapes = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\"`, `"`)

func unescape(v string) string {
	if strings.IndexByte(v, '\\') < 0 {
		return v
	}
	return escapes.Replace(v)
}
