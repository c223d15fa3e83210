// Package deploy holds the files that operators run beside the server, and tests
// them: rules and alerts with promtool, and every expression of rules and
// dashboards in a real Prometheus that scrapes real nodes.
package deploy
