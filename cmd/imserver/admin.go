package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/onemeter/onemeter/server"
)

// An adminVerb is a command of imserver admin.
type adminVerb struct {
	name, usage string
	options     []option // its own, besides those of every verb
	run         func(c *adminCall, ctx context.Context) (answer, error)
}

// An answer is a verb's result: a value for --json, and text for people.
type answer struct {
	value any
	words func(w io.Writer)
}

// An adminCall is one parsed command line of imserver admin.
type adminCall struct {
	request                     // only config, db and blob are set
	values    map[string]string // of the verb's options, by name
	op        *server.Operator
	in        io.Reader
	errOut    io.Writer
	asJSON    bool
	migrate   bool
	helpAsked bool
}

// adminSettings are the settings that imserver admin shares with the server.
var adminSettings = []string{"config", "db", "blob"}

// admin runs the command in args, and returns the exit code.
func admin(ctx context.Context, args []string, getenv func(string) string, in io.Reader, out, errOut io.Writer) int {
	if len(args) == 0 || slices.Contains([]string{"--help", "-help", "-h", "help"}, args[0]) {
		_, _ = io.WriteString(out, describeAdmin())
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	i := slices.IndexFunc(adminVerbs, func(v adminVerb) bool { return v.name == args[0] })
	if i < 0 {
		asJSON := slices.Contains(args, "--json")
		return report(errOut, usageError("unknown command %q; imserver admin --help lists them", args[0]), asJSON)
	}
	verb := adminVerbs[i]
	c := &adminCall{values: make(map[string]string), in: in, errOut: errOut}
	if err := c.parse(verb, args[1:], getenv); err != nil {
		return report(errOut, errors.Join(err, errUsage), c.asJSON)
	}
	if c.helpAsked {
		_, _ = io.WriteString(out, describeVerb(verb))
		return exitOK
	}
	if err := c.do(ctx, verb, out); err != nil {
		if slices.Contains(readers, verb.name) {
			err = readError{err}
		}
		return report(errOut, err, c.asJSON)
	}
	return exitOK
}

// A failure is an error as --json prints it, with the names of the API's errors.
type failure struct {
	Error   string `json:"error"`
	Details string `json:"details"`
	Code    string `json:"error_code"` // usage, failed, or a code of the API, such as not_found
}

// report writes an error, as text or as JSON in one line, and returns the exit code.
func report(errOut io.Writer, err error, asJSON bool) int {
	code, f := exitFailed, failure{"command failed", strings.TrimSpace(err.Error()), "failed"}
	if e, ok := errors.AsType[*server.Error](err); ok {
		f = failure{e.What, e.Why, string(e.Kind)}
		if text := strings.TrimSpace(err.Error()); text != e.Error() { // it has the cause, too
			f.Details = text
		}
	}
	if errors.Is(err, errUsage) || errors.Is(err, server.ErrWho) {
		code, f.Error, f.Code = exitUsage, "wrong command line", "usage"
	}
	if !asJSON {
		_, _ = fmt.Fprintln(errOut, "imserver admin:", strings.TrimSpace(plainError(err)))
		return code
	}
	enc := json.NewEncoder(errOut)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(f)
	return code
}

// readers are the commands that store nothing.
var readers = []string{"list", "sessions", "users", "audit"}

// A readError is an error of a command that stores nothing: that "nothing was stored" is left out.
type readError struct{ err error }

func (e readError) Error() string {
	return strings.ReplaceAll(e.err.Error(), "nothing was stored; ", "")
}

func (e readError) Unwrap() error { return e.err }

// do opens the database, runs the verb and prints its answer.
func (c *adminCall) do(ctx context.Context, verb adminVerb, out io.Writer) (err error) {
	opts := &slog.HandlerOptions{Level: slog.LevelWarn}
	log := slog.New(slog.NewTextHandler(c.errOut, opts))
	if c.asJSON {
		log = slog.New(slog.NewJSONHandler(c.errOut, opts))
	}
	for _, name := range unknown(os.Environ()) {
		log.Warn("unknown environment variable, ignored; imserver --help lists the known ones", "name", name)
	}
	if c.migrate {
		if err := server.Migrate(ctx, c.cfg); err != nil {
			return err
		}
	}
	if c.op, err = server.OpenOperator(ctx, c.cfg, log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.op.Close()) }()
	said, err := verb.run(c, ctx)
	if err != nil {
		return err
	}
	if !c.asJSON {
		said.words(out)
		return nil
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(said.value)
}

// parse reads the options of a verb, and the settings that it shares with the
// server, from flags, variables and the configuration file.
func (c *adminCall) parse(verb adminVerb, args []string, getenv func(string) string) error {
	p := parser{request: request{cfg: server.DefaultConfig()}, given: make(map[string]string)}
	all := settings(&p.request)
	flags := flag.NewFlagSet("imserver admin "+verb.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&c.asJSON, "json", false, "")
	flags.BoolVar(&c.migrate, "migrate", false, "")
	for _, s := range all {
		if slices.Contains(adminSettings, s.name) {
			flags.Func(s.name, "", func(v string) error { p.set("--"+s.name, s, v); return nil })
		}
	}
	for _, o := range verb.options {
		take := func(v string) error { // package flag would put the option's name before the error again
			c.values[o.name] = v
			p.faults = append(p.faults, o.check(v))
			return nil
		}
		if o.arg == "" {
			flags.BoolFunc(o.name, "", take)
		} else {
			flags.Func(o.name, "", take)
		}
	}
	faults, err := parseFlags(flags, args)
	if errors.Is(err, errHelp) {
		c.helpAsked = true
		return nil
	}
	p.faults = append(p.faults, faults...)
	known := append(all, secretSettings(&p.cfg)...)
	for _, s := range known {
		if v := getenv(s.env); v != "" && p.given[s.name] == "" && slices.Contains(adminSettings, s.name) {
			p.set(s.env, s, v)
		}
	}
	if p.file != "" {
		p.faults = append(p.faults, p.readFile(known))
	}
	c.request = p.request
	return errors.Join(p.faults...)
}

// check returns an error if a value is none of the choices.
func (o option) check(v string) error {
	if len(o.choices) > 0 && !slices.Contains(o.choices, v) {
		return fmt.Errorf("--%s is %q: want one of %s", o.name, v, strings.Join(o.choices, ", "))
	}
	return nil
}

// everyVerb returns the options that every verb has.
func everyVerb() []option {
	r := request{cfg: server.DefaultConfig()}
	var all []option
	for _, s := range settings(&r) {
		if slices.Contains(adminSettings, s.name) {
			arg, usage := unquote(s.usage)
			usage, _, _ = strings.Cut(usage, "\n")
			all = append(all, option{name: s.name, arg: arg, usage: usage + " (" + s.env + ")"})
		}
	}
	return append(all, option{name: "json", usage: "print the answer as JSON, and errors as one JSON object on standard error"},
		option{name: "migrate", usage: "first migrate the database of an older version; stop its nodes before"}, option{name: "help", usage: "describe this command"})
}

func describeAdmin() string {
	var b strings.Builder
	b.WriteString(`imserver admin works on the database of imserver, with or without a running
server. Running nodes notice within two seconds. The audit records what it does,
as user 0.

Usage: imserver admin COMMAND [--option value]...

`)
	for _, v := range adminVerbs {
		fmt.Fprintf(&b, "  %-16s%s\n", v.name, v.usage)
	}
	b.WriteString(`
imserver admin COMMAND --help lists the options of a command. The exit code is 0,
1 if the command failed or was refused, or 2 if the command line is wrong.

With --json, an error is an object on standard error, with the same exit code:
{"error": WHAT, "details": WHY, "error_code": CODE}. CODE is usage if the command
line is wrong, a code of the API such as not_found, forbidden, conflict or
unavailable, or failed. Every other line there is an object, too: with "msg", a
warning, and with "progress", how far a backup is.
`)
	return b.String()
}

func describeVerb(v adminVerb) string {
	var b strings.Builder
	fmt.Fprintf(&b, "imserver admin %s: %s.\n\n", v.name, v.usage)
	for _, o := range slices.Concat(v.options, everyVerb()) {
		head := "--" + o.name
		if o.arg != "" {
			head += " " + o.arg
		}
		fmt.Fprintf(&b, "  %s\n        %s", head, o.usage)
		if len(o.choices) > 0 {
			fmt.Fprintf(&b, ": %s", strings.Join(o.choices, ", "))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// errUsage marks the errors of usageError. It has no text of its own.
var errUsage = errors.New("")

// usageError returns an error about the command line, for which the exit code is 2.
func usageError(format string, args ...any) error {
	return fmt.Errorf(format+"%w", append(args, errUsage)...)
}

// stdin is a variable for tests. reset-password --stdin reads it.
var stdin io.Reader = os.Stdin
