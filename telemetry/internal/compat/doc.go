// Package compat tests package telemetry with what is too heavy for the main module: Prometheus's own parser, which
// is stricter than expfmt's, and instrumentation libraries of third parties. It is a module of its own, so that
// nobody who imports telemetry downloads them: run go test in this folder.
package compat
