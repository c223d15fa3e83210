package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/internal/cli"
	"github.com/onemeter/onemeter/server"
)

// errHelp is returned for --help: the usage was printed, and nothing is wrong.
var errHelp = flag.ErrHelp

// A command is what imserver does when it starts.
type command int

const (
	runServer command = iota
	printVersion
	checkHealth
)

// A request is the combined result of the command line, the environment and the configuration file.
type request struct {
	cfg      server.Config
	command  command
	file     string // file with settings; empty: none
	warnings []string
}

// A parser builds a request, and collects all faults.
type parser struct {
	request
	given  map[string]string // the source of each setting that has one, by name; the first source wins
	faults []error
}

func (p *parser) set(from string, s setting, v string) {
	p.given[s.name] = from
	if err := s.value.Set(v); err != nil {
		p.faults = append(p.faults, fmt.Errorf("%s: %w", from, err))
	}
}

// parse reads the settings. A flag overrides its variable, and a variable the file. The error has every fault, one
// on each line. The request is returned with an error too, because it has the log format for reporting the error.
func parse(args []string, getenv func(string) string, usage io.Writer) (request, error) {
	p := parser{request: request{cfg: server.DefaultConfig()}, given: make(map[string]string)}
	all := settings(&p.request)
	help := describe(all) // before anything is set, because it shows the defaults
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
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		p.faults = append(p.faults, fmt.Errorf("unknown command %q: the commands are admin, completion, man and help; settings begin with --", args[0]))
		for len(args) > 0 && !strings.HasPrefix(args[0], "-") { // the arguments of the command
			args = args[1:]
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
		if v := getenv(s.env); v != "" && p.given[s.name] == "" {
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
	if *healthcheck { // the server may have been started with the other settings elsewhere
		p.command = checkHealth
	} else {
		p.faults = append(p.faults, p.blame(p.cfg.Validate(), all))
	}
	return p.request, errors.Join(p.faults...)
}

// blame puts the source of a setting in front of its faults, in place of the flag: a variable, or the line of a file.
func (p *parser) blame(err error, all []setting) error {
	if err == nil {
		return nil
	}
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		name, fault, _ := strings.Cut(line, ": ")
		at := slices.IndexFunc(all, func(s setting) bool { return name == "--"+s.name || name == s.env })
		if at >= 0 && p.given[all[at].name] != "" {
			lines[i] = p.given[all[at].name] + ": " + fault
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// parseFlags continues after a fault, so that every fault is reported and --log-format is found wherever it is. The
// error is errHelp or nil.
func parseFlags(flags *flag.FlagSet, args []string) (faults []error, err error) {
	cli.Once(flags, func(err error) { faults = append(faults, err) })
	for len(args) > 0 {
		err := flags.Parse(args)
		args = flags.Args()
		switch {
		case errors.Is(err, flag.ErrHelp):
			return nil, errHelp
		case err != nil:
			faults = append(faults, twoDashes(err))
			if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:] // most likely the value of the unknown flag
			}
		case len(args) > 0:
			faults = append(faults, fmt.Errorf("unknown argument %q: settings begin with --", args[0]))
			args = args[1:]
		}
	}
	return faults, nil
}

// twoDashes writes the name of a flag with two dashes, as everywhere in this program.
func twoDashes(err error) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return fmt.Errorf("unknown flag --%s", name)
	}
	return errors.New(strings.Replace(err.Error(), " -", " --", 1))
}

// unknown returns the environment variables that look like settings but are not, most likely because of a typing
// error.
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
