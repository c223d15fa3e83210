package telemetry

import (
	"strings"
	"sync"

	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/onemeter/onemeter/telemetry/internal/rule"
	"github.com/onemeter/onemeter/telemetry/internal/series"
)

// A ledger holds what synchronous instruments recorded, for the page and for cumulative pushes. The SDK serves
// everything else: the caller's readers, delta temporality, and instruments that a view matches.
type ledger struct {
	rules       series.Rules
	scopeLabels bool

	mu       sync.Mutex
	byKey    map[streamKey]*series.Account
	list     []*series.Account // in order of creation
	known    int               // how many accounts of list are in kept
	kept     []*kept           // in order of creation
	byFamily map[*family]*kept
}

// streamOf returns the stream of an account.
func streamOf(a *series.Account) *stream { return a.Owner.(*stream) }

// newLedger returns a ledger for the page, if there is one, and for the given number of pushes.
func newLedger(cfg config, paged bool, pushes int) *ledger {
	l := &ledger{scopeLabels: cfg.scopeLabels, byKey: map[streamKey]*series.Account{}, byFamily: map[*family]*kept{}}
	l.rules.Limit, l.rules.Samples = cfg.cardinalityLimit, series.SamplingFromEnv()
	for i := range pushes {
		l.rules.Readers |= readerOf(i)
	}
	if paged {
		l.rules.Readers |= series.Page
		l.rules.PageRead()
	}
	return l
}

// readerOf returns the bit of a push among the readers.
func readerOf(push int) uint64 { return series.Page << (1 + push) }

// account returns the account of an admitted instrument.
func (l *ledger) account(scope instrumentation.Scope, a admission) *series.Account {
	d := a.create
	k := streamKey{scope, strings.ToLower(d.name), d.unit, d.description, d.class(), d.number}
	l.mu.Lock()
	defer l.mu.Unlock()
	if known := l.byKey[k]; known != nil {
		return known
	}
	def := series.Definition{
		Scope: scope, Name: d.name, Unit: d.unit, Description: d.description, Class: d.class(),
		Float: d.number == float64Number, Bounds: d.buckets, Order: a.as.order,
		Unlimited: scope.Name == thisPackage, // the number of reasons bounds their series
		Owner:     &stream{family: a.family, from: a.as},
	}
	if l.scopeLabels {
		def.Labels = rule.ScopeLabels(scope)
	}
	account := series.NewAccount(def, &l.rules)
	l.byKey[k] = account
	l.list = append(l.list, account)
	return account
}

// stop says that nobody collects any more, so that ended series are freed.
func (l *ledger) stop() {
	if l != nil {
		l.rules.Stop()
	}
}

// accounts returns all accounts, in order of creation.
func (l *ledger) accounts() []*series.Account {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list
}

// appendMetric appends what a reader collects of an account, if anything.
func appendMetric(to []metricdata.ScopeMetrics, a *series.Account, reader uint64) []metricdata.ScopeMetrics {
	m := a.Collect(reader)
	if m.Data == nil {
		return to
	}
	return appendTo(to, a.Scope, m)
}

// appendTo appends metrics to those of their scope.
func appendTo(to []metricdata.ScopeMetrics, scope instrumentation.Scope, metrics ...metricdata.Metrics) []metricdata.ScopeMetrics {
	for i := len(to) - 1; i >= 0; i-- { // metrics of one scope are mostly neighbours
		if to[i].Scope == scope {
			to[i].Metrics = append(to[i].Metrics, metrics...)
			return to
		}
	}
	return append(to, metricdata.ScopeMetrics{Scope: scope, Metrics: metrics})
}
