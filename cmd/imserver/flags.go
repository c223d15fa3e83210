package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/server"
)

// errHelp is the answer to --help: usage was printed, nothing is wrong.
var errHelp = flag.ErrHelp

// A command is what imserver is asked to do.
type command int

const (
	runServer command = iota
	printVersion
	checkHealth
)

// A request is what the command line, the environment and the configuration
// file ask for together.
type request struct {
	cfg      server.Config
	command  command
	warnings []string
}

// parse reads the settings; a flag beats its variable, and that a line of the
// file. Its error names every fault, one a line. The request is returned
// besides, for the error is told in the format that it asks for.
func parse(args []string, getenv func(string) string, usage io.Writer) (request, error) {
	r := request{cfg: server.DefaultConfig()}
	all := settings(&r.cfg)
	defaults := describe(all) // before anything is set
	var faults []error
	given := make(map[string]bool)
	set := func(from string, s setting, v string) {
		given[s.name] = true
		if err := s.value.Set(v); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", from, err))
		}
	}

	flags := flag.NewFlagSet("imserver", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version, healthcheck := flags.Bool("version", false, ""), flags.Bool("healthcheck", false, "")
	for _, s := range all {
		take := func(v string) error { set("--"+s.name, s, v); return nil }
		if _, ok := s.value.(*boolean); ok {
			flags.BoolFunc(s.name, s.usage, take) // needs no value
		} else {
			flags.Func(s.name, s.usage, take)
		}
	}
	wrong, err := parseFlags(flags, args)
	if err != nil {
		_, _ = io.WriteString(usage, defaults)
		return r, err
	}
	faults = append(faults, wrong...)
	for _, s := range slices.Concat(all, secretSettings(&r.cfg)) {
		if v := getenv(s.env); v != "" && !given[s.name] {
			set(s.env, s, v)
		}
	}
	switch {
	case *version:
		r.command = printVersion
		return r, nil
	case *healthcheck: // of a server that was started with the rest of its settings elsewhere
		r.command = checkHealth
	default:
		faults = append(faults, r.cfg.Validate())
	}
	return r, errors.Join(faults...)
}

// parseFlags goes on behind what is wrong, so that every fault is named, and
// --log-format is known wherever it stands. Its error is errHelp or nil.
func parseFlags(flags *flag.FlagSet, args []string) (faults []error, err error) {
	for len(args) > 0 {
		err := flags.Parse(args)
		args = flags.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, errHelp
		case err != nil:
			faults = append(faults, twoDashes(err))
			if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // its value, most likely
			}
		case len(args) > 0:
			faults = append(faults, fmt.Errorf("unknown argument %q: settings begin with --", args[0]))
			args = args[1:]
		}
	}
	return faults, nil
}

// twoDashes names a flag as this program writes it everywhere.
func twoDashes(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return fmt.Errorf("unknown flag --%s", name)
	}
	return errors.New(strings.Replace(err.Error(), " -", " --", 1))
}

// unknown lists the variables of an environment that look like settings and are
// none: mistyped ones, most likely.
func unknown(environ []string) (names []string) {
	var cfg server.Config
	var known []string
	for _, s := range slices.Concat(settings(&cfg), secretSettings(&cfg)) {
		known = append(known, s.env)
	}
	for _, variable := range environ {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "IM_") && !strings.HasPrefix(name, "IM_TEST_") && !slices.Contains(known, name) {
			names = append(names, name)
		}
	}
	return names
}
