package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The values of the label reason of telemetry_export_errors_total.
const (
	exportConnect     = "connect"     // no connection: nobody listens, unknown host, bad certificate
	exportUnavailable = "unavailable" // the receiver is overloaded or down: 429, 502, 503, 504, or the equivalent in gRPC
	exportTimeout     = "timeout"     // no answer in time
	exportDenied      = "denied"      // missing or wrong credentials: 401, 403
	exportRejected    = "rejected"    // the receiver refuses the data: any other status
	exportPartial     = "partial"     // the receiver accepted only a part
	exportOther       = "other"
)

var exportFailures = []string{
	exportConnect, exportUnavailable, exportTimeout, exportDenied, exportRejected, exportPartial, exportOther,
}

// The signals that are pushed.
const (
	signalMetrics = "metrics"
	signalTraces  = "traces"
)

// An outage watches the exports of one exporter. It counts all of them. It logs when they begin to fail and when they work
// again, but no failure in between.
type outage struct {
	log    voice
	self   *selfMetrics
	signal string
	to     string // the target, for logs

	mu     sync.Mutex
	err    error // of the last export
	failed int   // failures since the last success
	since  time.Time
}

func newOutage(log voice, self *selfMetrics, signal, to string) *outage {
	return &outage{log: log, self: self, signal: signal, to: to}
}

// record records an export. The mailbox does the logging, because a log handler may ask for an export.
func (o *outage) record(err error) {
	failure := reasonOf(err)
	o.self.exported(o.signal, failure)
	switch failed, since := o.note(err); {
	case err == nil && failed > 0:
		mailbox.post(o.log, slog.LevelInfo, "telemetry: push works again", []any{"signal", o.signal, "to", o.to, "failed", failed, "after", since.Round(time.Millisecond)})
	case err != nil && failed == 1:
		mailbox.post(o.log, slog.LevelWarn, "telemetry: push fails; later pushes are tried, and a message will say when one works",
			[]any{"signal", o.signal, "to", o.to, "reason", failure, "error", brief(err)})
	}
}

// note remembers the outcome of an export. It returns how many failed in a row, and for how long.
func (o *outage) note(err error) (failed int, since time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
	if err != nil {
		if o.failed++; o.failed == 1 {
			o.since = time.Now()
		}
		return o.failed, time.Since(o.since)
	}
	failed = o.failed
	o.failed = 0
	return failed, time.Since(o.since)
}

// failing returns the error of the last export, for ForceFlush and Shutdown.
func (o *outage) failing() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return fmt.Errorf("telemetry: push of %s to %s: %w", o.signal, o.to, o.err)
}

// maxErrorText bounds a logged error, in characters: it may contain a receiver's answer of several megabytes.
const maxErrorText = 500

func brief(err error) string {
	text := []rune(strings.ToValidUTF8(err.Error(), "\uFFFD"))
	if len(text) > maxErrorText {
		return string(text[:maxErrorText]) + "…"
	}
	return string(text)
}

// The errors of the exporters have no usable types, so the status is read from the text.
var (
	statusHTTP = regexp.MustCompile(`failed to send (?:metrics|traces|to) .*?: (\d{3}) `)
	statusGRPC = regexp.MustCompile(`rpc error: code = (\w+)`)
)

// cannotDial has texts of errors that mean that no connection was made. A regular expression for all of them would be far
// slower than a search for each, if the text has a receiver's answer of several megabytes.
var cannotDial = []string{"Error while dialing", "authentication handshake failed", "tls: ", "x509: "}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	var op *net.OpError
	var dns *net.DNSError
	text := err.Error()
	if m := statusHTTP.FindStringSubmatch(text); m != nil {
		return reasonOfHTTP(m[1])
	}
	switch {
	case strings.Contains(text, "OTLP partial success"):
		return exportPartial
	case errors.As(err, &dns), errors.As(err, &op) && op.Op == "dial",
		slices.ContainsFunc(cannotDial, func(part string) bool { return strings.Contains(text, part) }):
		return exportConnect
	case strings.Contains(text, "retry-able request failure: body: "): // HTTP 429, 502, 503, 504
		return exportUnavailable
	}
	if m := statusGRPC.FindStringSubmatch(text); m != nil {
		return reasonOfGRPC(m[1])
	}
	var timeout net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		strings.Contains(text, "export timeout") || errors.As(err, &timeout) && timeout.Timeout() {
		return exportTimeout
	}
	return exportOther
}

func reasonOfHTTP(status string) string {
	switch status {
	case "401", "403":
		return exportDenied
	case "429", "502", "503", "504":
		return exportUnavailable
	}
	return exportRejected
}

func reasonOfGRPC(code string) string {
	switch code {
	case "Unauthenticated", "PermissionDenied":
		return exportDenied
	case "Unavailable", "ResourceExhausted", "Aborted", "OutOfRange", "DataLoss":
		return exportUnavailable
	case "DeadlineExceeded", "Canceled":
		return exportTimeout
	case "Internal", "Unknown":
		return exportOther
	}
	return exportRejected
}
