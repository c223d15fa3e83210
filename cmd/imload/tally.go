package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// maxSamples bounds the latencies that are kept. At the limit every second one is dropped, and from then on only
// every second new one is kept.
const maxSamples = 1 << 20

// A tally counts what happens during a run.
type tally struct {
	mu        sync.Mutex
	acks      map[int]bool // messages that the server has acknowledged
	received  int          // deliveries, including duplicates
	errors    int          // messages that the server has refused
	firstErr  string
	latencies []time.Duration
	every     int                   // one of so many latencies is kept
	follow    func(n int, id int64) // called after an acknowledgement with mu held; must not wait; may be nil
	actions   map[string]int        // other actions than messages, by kind
	failed    int                   // failed actions
	left      int                   // skipped actions, because the queue was full
}

func newTally() *tally {
	return &tally{acks: make(map[int]bool), actions: make(map[string]int), every: 1}
}

func (t *tally) delivered(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.received++
	if t.received%t.every != 0 {
		return
	}
	if t.latencies = append(t.latencies, took); len(t.latencies) < maxSamples {
		return
	}
	for i := range len(t.latencies) / 2 {
		t.latencies[i] = t.latencies[2*i]
	}
	t.latencies = t.latencies[:len(t.latencies)/2]
	t.every *= 2
}

// ack records that the server has stored message n, as id.
func (t *tally) ack(n int, id int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.acks[n] = true
	if t.follow != nil {
		t.follow(n, id)
	}
}

// onAck sets the function to call after acknowledgements.
func (t *tally) onAck(follow func(n int, id int64)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.follow = follow
}

// acted counts an action.
func (t *tally) acted(kind string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.actions[kind]++
	if err == nil {
		return
	}
	if t.failed++; t.firstErr == "" {
		t.firstErr = kind + ": " + err.Error()
	}
}

func (t *tally) refused(frame string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.errors++; t.firstErr == "" {
		t.firstErr = frame
	}
}

func (t *tally) lineOfActions() string {
	sum := 0
	for _, n := range t.actions {
		sum += n
	}
	if sum == 0 {
		return ""
	}
	return fmt.Sprintf("; other actions %d, failed %d", sum, t.failed)
}

// line returns the state of a run as a line of text.
func (t *tally) line(sent int, after time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%3.0fs  sent %d, acked %d, delivered %d, refused %d%s",
		after.Seconds(), sent, len(t.acks), t.received, t.errors, t.lineOfActions())
}

// await returns when everything has come, or patience has passed.
func (t *tally) await(ctx context.Context, sent, expected int, patience time.Duration, tell func(string, ...any)) {
	start := time.Now()
	complete := func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		return len(t.acks)+t.errors >= sent && t.received >= expected
	}
	for !complete() && time.Since(start) < patience && ctx.Err() == nil {
		tell("waiting: %s", t.line(sent, time.Since(start)))
		wait(ctx, 20*time.Millisecond)
	}
}

// A result is the outcome of a run.
type result struct {
	Mode        string  `json:"mode"`
	Connections int     `json:"connections"`
	Seconds     float64 `json:"duration_seconds"`
	Sent        int     `json:"sent"`
	Acked       int     `json:"acked"`
	Refused     int     `json:"refused"`
	FirstError  string  `json:"first_error,omitempty"`
	Expected    int     `json:"expected"`  // deliveries
	Delivered   int     `json:"delivered"` // deliveries that came, including duplicates
	Lost        int     `json:"lost"`
	Doubled     int     `json:"doubled"`

	Actions        map[string]int `json:"actions,omitempty"` // other actions than messages, by kind
	FailedActions  int            `json:"failed_actions"`
	SkippedActions int            `json:"skipped_actions"` // because the queue was full

	// The times from just before sending to the arrival at a client, in seconds.
	P50 float64 `json:"p50_seconds"`
	P90 float64 `json:"p90_seconds"`
	P99 float64 `json:"p99_seconds"`
	Max float64 `json:"max_seconds"`

	ServerCPU        float64 `json:"server_cpu_seconds,omitempty"`
	DBCPU            float64 `json:"database_cpu_seconds,omitempty"`
	CPUPerMillion    float64 `json:"server_cpu_seconds_per_million_deliveries,omitempty"`
	ServerRSS        int64   `json:"server_rss_bytes,omitempty"`
	RSSPerConnection int64   `json:"server_rss_bytes_per_connection,omitempty"`
}

func (t *tally) result() result {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := result{Acked: len(t.acks), Refused: t.errors, FirstError: t.firstErr, Delivered: t.received,
		Actions: maps.Clone(t.actions), FailedActions: t.failed, SkippedActions: t.left}
	if len(t.latencies) == 0 {
		return r
	}
	slices.Sort(t.latencies)
	at := func(q float64) float64 { return t.latencies[int(q*float64(len(t.latencies)-1))].Seconds() }
	r.P50, r.P90, r.P99, r.Max = at(.5), at(.9), at(.99), at(1)
	return r
}

// spent sets how much CPU and memory the servers used.
func (r *result) spent(before, after usage) {
	r.ServerCPU, r.ServerRSS = (after.cpu - before.cpu).Seconds(), after.rss
	if r.Delivered > 0 {
		r.CPUPerMillion = r.ServerCPU / float64(r.Delivered) * 1e6
	}
}

func kinds(actions map[string]int) string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(actions)) {
		all = append(all, fmt.Sprintf("%d %s", actions[kind], kind))
	}
	return strings.Join(all, ", ")
}

func (r result) String() string {
	var b strings.Builder
	if r.Mode != "idle" {
		fmt.Fprintf(&b, "%d messages in %.1f s (%.0f messages a second) over %d connections: %d acknowledged, %d refused\n",
			r.Sent, r.Seconds, float64(r.Sent)/r.Seconds, r.Connections, r.Acked, r.Refused)
		fmt.Fprintf(&b, "%d of %d deliveries; %d lost, %d duplicates\n", r.Delivered, r.Expected, r.Lost, r.Doubled)
		fmt.Fprintf(&b, "delivered within %.1f ms (median), %.1f ms (90 %%), %.1f ms (99 %%), %.1f ms (all)\n",
			r.P50*1e3, r.P90*1e3, r.P99*1e3, r.Max*1e3)
		if len(r.Actions) > 0 {
			fmt.Fprintf(&b, "other actions: %s; %d failed, %d skipped\n", kinds(r.Actions), r.FailedActions, r.SkippedActions)
		}
		if r.FirstError != "" {
			fmt.Fprintf(&b, "first error: %s\n", r.FirstError)
		}
	}
	if r.ServerRSS > 0 {
		fmt.Fprintf(&b, "server: %.1f MiB of memory", float64(r.ServerRSS)/(1<<20))
		if r.CPUPerMillion > 0 {
			fmt.Fprintf(&b, ", %.2f s of CPU: %.3f ms per message, %.2f s per million deliveries",
				r.ServerCPU, r.ServerCPU/float64(max(r.Acked, 1))*1e3, r.CPUPerMillion)
		}
		if r.RSSPerConnection > 0 {
			fmt.Fprintf(&b, "; %.1f KiB for each of %d connections", float64(r.RSSPerConnection)/(1<<10), r.Connections)
		}
		b.WriteString("\n")
	}
	if r.DBCPU > 0 {
		fmt.Fprintf(&b, "database: %.2f s of CPU: %.3f ms per message\n", r.DBCPU, r.DBCPU/float64(max(r.Acked, 1))*1e3)
	}
	return b.String()
}

// A progress is a status line that is overwritten a few times per second. If the output is a file or a pipe, nothing is
// written.
type progress struct {
	w  io.Writer
	mu sync.Mutex
	at time.Time
}

func newProgress(w io.Writer) *progress {
	if f, ok := w.(*os.File); ok && !isTerminal(f) {
		w = io.Discard
	}
	return &progress{w: w}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (p *progress) tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) < 200*time.Millisecond {
		return
	}
	p.at = time.Now()
	_, _ = fmt.Fprintf(p.w, "\r\033[K"+format, args...)
}

func (p *progress) end() { _, _ = fmt.Fprint(p.w, "\r\033[K") }
