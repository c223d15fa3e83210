// Package compat tests package telemetry with dependencies that are too heavy for the main module: Prometheus's own
// parser, which is stricter than expfmt's, and third-party instrumentation libraries. It is a separate module, so
// that nobody who imports telemetry downloads them: run go test in this folder.
package compat
