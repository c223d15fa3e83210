// Imload puts load on an imserver and says what became of it: how long messages
// took, how many were lost or came twice, and what the server spent on them.
//
//	imload --mode group --users 500 --rate 40 --duration 60s --pid $(pgrep imserver)
//	imload --mode pairs --users 100 --rate 1000
//	imload --mode idle --users 100 --devices 50 --pid $(pgrep imserver)
//
// It makes accounts of its own and leaves them behind: point it at a server
// that is there to be measured.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what a run is asked to do.
type options struct {
	url      string
	mode     string // group, pairs or idle
	users    int
	devices  int           // connections a user
	rate     float64       // messages a second, of all senders together
	size     int           // bytes of a message
	duration time.Duration // of sending, or of idling
	drain    time.Duration // how long to wait for the last deliveries
	pid      int           // of the server, 0 if unknown
	json     bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("imload", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.url, "url", "http://localhost:8080", "`address` of the server")
	flags.StringVar(&o.mode, "mode", "group", "group: one sends, all receive; pairs: each sends to the next; idle: connect and wait")
	flags.IntVar(&o.users, "users", 50, "accounts, each connected")
	flags.IntVar(&o.devices, "devices", 1, "connections of each account")
	flags.Float64Var(&o.rate, "rate", 40, "messages a second, all senders together")
	flags.IntVar(&o.size, "size", 64, "`bytes` of a message")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long to send, or to idle")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "how long to wait for the last deliveries")
	flags.IntVar(&o.pid, "pid", 0, "process id of a server on this machine, for its CPU and memory")
	flags.BoolVar(&o.json, "json", false, "print the result as JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := o.check(); err != nil {
		_, _ = fmt.Fprintln(stderr, "imload:", err)
		return 2
	}
	res, err := load(ctx, o, stderr)
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "imload:", err)
		return 1
	}
	if o.json {
		_ = json.NewEncoder(stdout).Encode(res)
	} else {
		_, _ = fmt.Fprint(stdout, res)
	}
	if res.Lost > 0 || res.Doubled > 0 || res.Refused > 0 {
		return 1
	}
	return 0
}

func (o options) check() error {
	switch {
	case o.mode != "group" && o.mode != "pairs" && o.mode != "idle":
		return fmt.Errorf("mode is %q: group, pairs or idle", o.mode)
	case o.users < 2 || o.users > 100_000:
		return fmt.Errorf("users is %d: 2 to 100000", o.users)
	case o.devices < 1 || o.devices > 100:
		return fmt.Errorf("devices is %d: 1 to 100", o.devices)
	case o.rate <= 0 || o.rate > 1e6:
		return fmt.Errorf("rate is %v: more than 0", o.rate)
	case o.size < minSize || o.size > 60<<10:
		return fmt.Errorf("size is %d: %d to %d", o.size, minSize, 60<<10)
	case o.duration <= 0 || o.duration > 24*time.Hour:
		return fmt.Errorf("duration is %v: up to 24h", o.duration)
	}
	return nil
}
