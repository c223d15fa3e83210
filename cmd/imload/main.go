// Imload puts load on an imserver and reports the result: how long messages took, how many were lost or came twice,
// and how much CPU and memory the server used.
//
//	imload --mode group --users 500 --rate 40 --duration 60s --pid $(pgrep imserver)
//	imload --mode pairs --users 100 --rate 1000
//	imload --mode idle --users 100 --devices 50 --pid $(pgrep imserver)
//	imload --mode mixed --url http://node1:8080,http://node2:8080 --json
//
// Imload registers its own accounts and does not delete them: use it only with a server that exists for measurements. The
// exit code is 1 if the run failed, or if a message or an action was lost, duplicated, refused or failed, and 2 if a flag is
// wrong.
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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options configure a run.
type options struct {
	urls     []string // of the nodes, which clients and requests take in turn
	mode     string   // group, pairs, idle or mixed
	users    int
	devices  int           // connections of each user
	rate     float64       // messages per second, all senders together
	size     int           // bytes of a message
	duration time.Duration // of sending, or of idling
	drain    time.Duration // how long to wait for the last deliveries
	pids     []int         // of the servers; none if unknown
	dbPIDs   []int         // of their databases; none if unknown
	json     bool          // whether to print the result as JSON
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	flags := flag.NewFlagSet("imload", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	urls := flags.String("url", "http://localhost:8080", "`addresses` of servers, separated by commas; clients take them in turn")
	flags.StringVar(&o.mode, "mode", "group", "group: one user sends to all others; pairs: each user sends to the next; idle: all connect and send nothing;\n"+
		"mixed: pairs, groups of ten and users who only listen, with receipts, typing, edits, files and calls")
	flags.IntVar(&o.users, "users", 50, "number of accounts, all of which connect")
	flags.IntVar(&o.devices, "devices", 1, "number of connections of each account")
	flags.Float64Var(&o.rate, "rate", 40, "`messages` per second, of all senders together")
	flags.IntVar(&o.size, "size", 64, "size of a message in `bytes`")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long to send, or in mode idle how long to wait")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "how long to wait for the last deliveries")
	pids := flags.String("pid", "", "process `ids` of servers on this machine, separated by commas, for their CPU and memory")
	dbPIDs := flags.String("db-pid", "", "process `ids` of databases on this machine, separated by commas, for their CPU")
	flags.BoolVar(&o.json, "json", false, "print the result as JSON")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		_, _ = io.WriteString(stdout, help(flags))
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "imload: %s (imload --help lists the flags)\n", strings.Replace(err.Error(), " -", " --", 1))
		return 2
	}
	if err := errors.Join(o.parse(*urls, *pids, *dbPIDs), o.check()); err != nil {
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
	if res.Lost > 0 || res.Doubled > 0 || res.Refused > 0 || res.FailedActions > 0 {
		return 1
	}
	return 0
}

// help returns the text of --help. It lists the flags with two dashes, as the documentation does.
func help(flags *flag.FlagSet) string {
	var b strings.Builder
	flags.SetOutput(&b)
	flags.PrintDefaults()
	return "Usage of imload:" + strings.ReplaceAll("\n"+b.String(), "\n  -", "\n  --")
}

// base returns the URL of the node for client or request i.
func (o options) base(i int) string { return o.urls[i%len(o.urls)] }

// parse reads the comma-separated lists.
func (o *options) parse(urls, pids, dbPIDs string) (err error) {
	for u := range strings.SplitSeq(urls, ",") {
		if !strings.HasPrefix(u, "http://") && !strings.HasPrefix(u, "https://") {
			return fmt.Errorf("--url is %q: want http://host:port", u)
		}
		o.urls = append(o.urls, strings.TrimSuffix(u, "/"))
	}
	if o.pids, err = parsePIDs("--pid", pids); err != nil {
		return err
	}
	o.dbPIDs, err = parsePIDs("--db-pid", dbPIDs)
	return err
}

func parsePIDs(name, list string) (pids []int, _ error) {
	for _, text := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
		pid, err := strconv.Atoi(text)
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("%s is %q: want process ids, separated by commas", name, text)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

func (o options) check() error {
	switch {
	case !slices.Contains([]string{"group", "pairs", "idle", "mixed"}, o.mode):
		return fmt.Errorf("--mode is %q: want group, pairs, idle or mixed", o.mode)
	case o.users < 2 || o.users > 100_000:
		return fmt.Errorf("--users is %d: want 2 to 100000", o.users)
	case o.devices < 1 || o.devices > 100:
		return fmt.Errorf("--devices is %d: want 1 to 100", o.devices)
	case !(o.rate > 0 && o.rate <= 1e6): // false for NaN
		return fmt.Errorf("--rate is %v: want more than 0, at most 1000000", o.rate)
	case o.size < minSize || o.size > 60<<10:
		return fmt.Errorf("--size is %d: want %d to %d", o.size, minSize, 60<<10)
	case o.duration <= 0 || o.duration > 24*time.Hour:
		return fmt.Errorf("--duration is %v: want more than 0, at most 24h", o.duration)
	}
	return nil
}
