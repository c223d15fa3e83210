// Package cli holds what the programs imserver and imadmin share: start, exit codes, flags
// and version.
package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. Failed means that the program failed, and Usage that the command line or
// the configuration is wrong.
const (
	OK     = 0
	Failed = 1
	Usage  = 2
)

// Main calls run with the arguments, the environment and the outputs of this process,
// and exits with its result. The context ends at the first SIGINT or SIGTERM; a second
// one ends the process at once.
func Main(run func(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
