// Command metricvet reports metrics that conflict, before they are deployed. Package telemetry/metricvet says what it
// finds.
package main

import (
	"context"
	"os"
	"os/signal"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/onemeter/onemeter/telemetry/metricvet"
)

func main() {
	if isVet(os.Args[1:]) {
		unitchecker.Main(metricvet.Analyzer)
	}
	os.Exit(untilInterrupted(os.Args[1:]))
}

func untilInterrupted(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return run(ctx, args, os.Stdout, os.Stderr)
}
