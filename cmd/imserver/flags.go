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
	file     string // of settings; empty: none
	warnings []string
}

// A parser collects a request, and what is wrong with it.
type parser struct {
	request
	given  map[string]bool // by name: the first who sets it wins
	faults []error
}

func (p *parser) set(from string, s setting, v string) {
	p.given[s.name] = true
	if err := s.value.Set(v); err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", from, err))
	}
}

// parse reads the settings; a flag beats its variable, and that a line of the
// file. Its error names every fault, one a line. The request is returned
// besides, for the error is told in the format that it asks for.
func parse(args []string, getenv func(string) string, usage io.Writer) (request, error) {
	p := parser{request: request{cfg: server.DefaultConfig()}, given: make(map[string]bool)}
	all := settings(&p.request)
	help := describe(all) // before anything is set: it tells the defaults
	flags := flag.NewFlagSet("imserver", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	version, healthcheck := flags.Bool("version", false, ""), flags.Bool("healthcheck", false, "")
	for _, s := range all {
		take := func(v string) error { p.set("--"+s.name, s, v); return nil }
		if _, ok := s.value.(*boolean); ok {
			flags.BoolFunc(s.name, s.usage, take) // needs no value
		} else {
			flags.Func(s.name, s.usage, take)
		}
	}
	wrong, err := parseFlags(flags, args)
	if err != nil {
		_, _ = io.WriteString(usage, help)
		return p.request, err
	}
	p.faults = append(p.faults, wrong...)
	all = append(all, secretSettings(&p.cfg)...)
	for _, s := range all {
		if v := getenv(s.env); v != "" && !p.given[s.name] {
			p.set(s.env, s, v)
		}
	}
	if *version {
		p.command = printVersion
		return p.request, nil
	}
	if p.file != "" {
		p.faults = append(p.faults, p.readFile(all))
	}
	if *healthcheck { // of a server that was started with the rest of its settings elsewhere
		p.command = checkHealth
	} else {
		p.faults = append(p.faults, p.cfg.Validate())
	}
	return p.request, errors.Join(p.faults...)
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
	var r request
	var known []string
	for _, s := range slices.Concat(settings(&r), secretSettings(&r.cfg)) {
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
