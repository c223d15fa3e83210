package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/onemeter/onemeter/server"
	"github.com/onemeter/onemeter/telemetry"
)

// serve runs a server until the test ends, and returns its address.
func serve(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cfg := server.DefaultConfig()
	cfg.Addr, cfg.MessageRate = "127.0.0.1:0", 0
	cfg.DB, cfg.Blob = "sqlite://"+filepath.Join(dir, "im.db"), "file://"+filepath.Join(dir, "files")
	tel, err := telemetry.New(t.Context(), telemetry.WithoutRuntime())
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(t.Context(), cfg, tel, slog.New(slog.DiscardHandler), "test")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	<-srv.Up()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = tel.Shutdown(context.Background())
	})
	return "http://" + srv.Addr()
}

// TestRuns loads a real server in each mode.
func TestRuns(t *testing.T) {
	url := serve(t)
	pid := fmt.Sprint(os.Getpid())
	for _, c := range []struct {
		args     string
		received int // of each message
	}{
		{"--mode group --users 5 --devices 2 --rate 100", 9},
		{"--mode pairs --users 4 --rate 100", 1},
		{"--mode idle --users 2 --devices 3", 0},
	} {
		var out, progress bytes.Buffer
		args := append(strings.Fields(c.args), "--url", url+","+url+"/", "--duration", "1s", "--json", "--pid", pid+","+pid)
		if code := run(t.Context(), args, &out, &progress); code != 0 {
			t.Fatalf("%s: exit %d: %s%s", c.args, code, out.String(), progress.String())
		}
		var r result
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Acked != r.Sent || r.Delivered != c.received*r.Sent || r.Lost+r.Doubled+r.Refused != 0 {
			t.Errorf("%s: %+v", c.args, r)
		}
		if c.received > 0 && (r.Sent < 50 || r.P50 <= 0 || r.Max < r.P99 || r.ServerRSS == 0) {
			t.Errorf("%s measured nothing: %+v", c.args, r)
		}
	}
}

// TestMixed runs every action of the mixed mode.
func TestMixed(t *testing.T) {
	url := serve(t)
	var out, progress bytes.Buffer
	args := strings.Fields("--mode mixed --users 25 --devices 2 --rate 200 --duration 1s --json --url " + url)
	if code := run(t.Context(), args, &out, &progress); code != 0 {
		t.Fatalf("exit %d: %s%s", code, out.String(), progress.String())
	}
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if r.Sent < callEvery+1 || r.Acked != r.Sent || r.Delivered != r.Expected || r.Expected <= 3*r.Sent || r.Lost+r.Doubled+r.FailedActions != 0 {
		t.Errorf("%+v", r)
	}
	for _, kind := range []string{"read", "typing", "dialogs", "edit", "file", "call"} {
		if r.Actions[kind] == 0 {
			t.Errorf("no %s in %v", kind, r.Actions)
		}
	}
	if !strings.Contains(progress.String(), "acked") {
		t.Errorf("no progress: %q", progress.String())
	}
}

// TestFailuresAreReported runs without a server and without a process.
func TestFailuresAreReported(t *testing.T) {
	for _, args := range []string{"--url http://127.0.0.1:1", "--pid 999999999"} {
		var errOut bytes.Buffer
		if code := run(t.Context(), strings.Fields(args+" --users 2"), new(bytes.Buffer), &errOut); code != 1 || !strings.Contains(errOut.String(), "imload:") {
			t.Errorf("%s: exit %d: %s", args, code, errOut.String())
		}
	}
}

// TestFlagsHaveTwoDashes checks the help and the errors.
func TestFlagsHaveTwoDashes(t *testing.T) {
	for args, c := range map[string]struct {
		code int
		says string
	}{
		"--help": {0, "\n  --mode string\n"}, "--nosuch": {2, ": --nosuch (imload --help"},
		"--users 1": {2, "--users is 1"}, "--rate nan": {2, "--rate"}, "--url x": {2, "--url is"}, "--pid x": {2, "--pid is"},
		"--mode x": {2, "--mode is"}, "--devices 0": {2, "--devices is"}, "--size 1": {2, "--size is"}, "--duration 0s": {2, "--duration is"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: exit %d, want %d and %q: %s", args, code, c.code, c.says, out.String())
		}
	}
}

// TestFiguresHaveUnits checks the result as text and as JSON.
func TestFiguresHaveUnits(t *testing.T) {
	r := result{Mode: "pairs", Seconds: 2, Sent: 10, P50: .001, P90: .002, P99: .003, Max: .004, ServerRSS: 1 << 20, ServerCPU: 1, CPUPerMillion: 7, RSSPerConnection: 1 << 10}
	for _, want := range []string{"in 2.0 s (5 messages a second)", "1.0 ms (median), 2.0 ms (90 %), 3.0 ms (99 %), 4.0 ms (all)", "1.00 s of CPU: 1000.000 ms per message, 7.00 s per million", "1.0 KiB for each"} {
		if !strings.Contains(r.String(), want) {
			t.Errorf("%q is not in\n%s", want, r)
		}
	}
	text, err := json.Marshal(r)
	for _, want := range []string{`"duration_seconds":2,`, `"p50_seconds":0.001,`, `"p90_seconds":`, `"p99_seconds":`, `"max_seconds":`} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s: %v", want, text, err)
		}
	}
}

// TestRoutes compares the expected number of deliveries with the clients that a message reaches.
func TestRoutes(t *testing.T) {
	p := &plan{o: options{mode: "mixed", devices: 3}, users: 15, active: 12, groups: []group{{first: 0, last: 10}, {first: 10, last: 12}}}
	seen := map[int]bool{}
	for n := range 100 {
		r, reached := p.route(n), 0
		for i := range p.users * p.o.devices {
			if r.reaches(i, p.users) {
				if reached++; i%p.users >= p.active {
					t.Errorf("message %d reaches %d, who only listens", n, i%p.users)
				}
			}
		}
		if reached != r.deliveries(p.o.devices) {
			t.Errorf("message %d reaches %d, want %d", n, reached, r.deliveries(p.o.devices))
		}
		seen[r.from] = true
	}
	if len(seen) != p.active {
		t.Errorf("%d of %d send", len(seen), p.active)
	}
}

// TestLossIsCounted checks the count of messages that a client misses or gets twice.
func TestLossIsCounted(t *testing.T) {
	p := &plan{o: options{mode: "group"}, users: 3, clients: make([]*client, 3), groups: []group{{last: 3}}}
	for i := range p.clients {
		p.clients[i] = &client{got: map[int]int{}}
	}
	p.clients[1].got = map[int]int{0: 1, 1: 2} // the second one twice
	p.clients[2].got = map[int]int{1: 1}       // the first one never
	var r result
	p.compare(&r, 2)
	if r.Lost != 1 || r.Doubled != 1 {
		t.Errorf("%d lost and %d doubled, want 1 and 1", r.Lost, r.Doubled)
	}
}

func TestTallyKeepsSamplesBounded(t *testing.T) {
	tally := newTally()
	for i := range 3 * maxSamples {
		tally.delivered(time.Duration(i + 1))
	}
	if n := len(tally.latencies); n > maxSamples || n < maxSamples/4 {
		t.Errorf("%d samples of %d", n, 3*maxSamples)
	}
	if r := tally.result(); r.Delivered != 3*maxSamples || r.P50 <= 0 || r.P50 > r.P90 || r.P90 > r.P99 || r.P99 > r.Max {
		t.Errorf("%+v", r)
	}
}

func TestOptions(t *testing.T) {
	for _, args := range []string{"--mode none", "--users 1", "--devices 0", "--rate 0", "--size 1", "--duration 0s", "--no-such", "--url localhost", "--url http://a,", "--pid x", "--pid -1"} {
		if code := run(t.Context(), strings.Fields(args), new(bytes.Buffer), new(bytes.Buffer)); code != 2 {
			t.Errorf("%s: exit %d, want 2", args, code)
		}
	}
	if code := run(t.Context(), []string{"--help"}, new(bytes.Buffer), new(bytes.Buffer)); code != 0 {
		t.Errorf("--help: exit %d", code)
	}
}

// TestProgress checks that progress is not written to a file.
func TestProgress(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var others bytes.Buffer
	for _, w := range []io.Writer{f, &others} {
		p := newProgress(w)
		p.tell("%d sent", 1)
		p.end()
	}
	if info, err := f.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if !strings.Contains(others.String(), "1 sent") {
		t.Errorf("others: %q", others.String())
	}
}
