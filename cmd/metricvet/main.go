// Command metricvet reports metrics that conflict, before they are deployed. See package telemetry/metricvet for what it finds.
package main

import (
	"os"

	"golang.org/x/tools/go/analysis/unitchecker"

	"github.com/onemeter/onemeter/telemetry/metricvet"
)

func main() {
	if isVet(os.Args[1:]) {
		unitchecker.Main(metricvet.Analyzer)
	}
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}
