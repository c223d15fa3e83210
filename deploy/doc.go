// Package deploy holds what operators run beside the server, and tests that it
// is right: the rules and alerts by promtool, and every expression of rules and
// dashboards before a real Prometheus that watches real nodes.
package deploy
