package main

import (
	"fmt"
	"strings"

	"github.com/onemeter/onemeter/internal/cli"
	"github.com/onemeter/onemeter/server"
)

// manPage returns imserver(1), in the macros of man(7), which every Unix system has.
func manPage() string {
	r := request{cfg: server.DefaultConfig()}
	var b strings.Builder
	fmt.Fprintf(&b, ".TH IMSERVER 1 \"\" \"%s\" \"User Commands\"\n", roff("imserver "+cli.Version()))
	b.WriteString(`.SH NAME
imserver \- an instant\-messaging server
.SH SYNOPSIS
.B imserver
.RB [ \-\-\fIsetting\fR " " \fIvalue\fR ]...
.br
.B imserver admin
.I command
.RB [ \-\-\fIoption\fR " " \fIvalue\fR ]...
.br
.B imserver completion bash\fR|\fBfish\fR|\fBzsh
.br
.B imserver man
.SH DESCRIPTION
Without settings it needs no other software: it keeps everything in
.I ./data
and listens on port 8080.
.PP
Each setting is a flag, an environment variable and a key of the file that
.B \-\-config
names. A flag overrides the variable, and the variable overrides the file.
.PP
.B imserver completion
prints a completion script for a shell.
.B imserver man
prints this page.
.SH OPTIONS
`)
	for _, s := range settings(&r) {
		arg, usage := unquote(s.usage)
		head := "\\fB" + roff("--"+s.name) + "\\fR"
		if arg != "" {
			head += " \\fI" + roff(strings.ToLower(arg)) + "\\fR"
		}
		if d := s.value.String(); d != "" {
			usage += "; default " + d
		}
		entry(&b, head+" ("+roff(s.env)+")", usage)
	}
	entry(&b, roff("--healthcheck"), "Check whether the server at --addr is alive, and exit with 0 or 1.")
	entry(&b, roff("--version"), "Print the version, the commit and Go's version, and exit.")
	b.WriteString(".SH SECRETS\nSecrets have no flag, because other users see flags in ps. The names in parentheses are keys of the file.\n")
	for _, s := range secretSettings(&r.cfg) {
		entry(&b, "\\fB"+roff(s.env)+"\\fR ("+roff(s.name)+")", s.usage)
	}
	b.WriteString(".SH ADMINISTRATION\n.B imserver admin\nworks on the database, with or without a running server. Running nodes notice within two seconds. " +
		"The audit records what it does. Every command has the options\n.BR \\-\\-config , \\-\\-db , \\-\\-blob , \\-\\-json , \\-\\-migrate\nand\n.BR \\-\\-help .\n")
	for _, v := range adminVerbs {
		var options []string
		for _, o := range v.options {
			options = append(options, strings.TrimSpace("--"+o.name+" "+o.arg))
		}
		entry(&b, "\\fB"+roff("admin "+v.name)+"\\fR "+roff(strings.Join(options, " ")), v.usage+".")
	}
	b.WriteString(`.SH EXIT STATUS
0 after a signal to stop, 1 if the server failed, 2 if a setting is wrong.
.SH FILES
.TP
.I /etc/imserver/imserver.yaml
The settings of the systemd service.
.TP
.I /var/lib/imserver
Its data, if the database is SQLite and files are in a folder.
.SH ENVIRONMENT
Besides those of the settings: OpenTelemetry's OTEL_ variables, and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION for S3.
`)
	return b.String()
}

// entry writes an option with its explanation, line by line.
func entry(b *strings.Builder, head, text string) {
	fmt.Fprintf(b, ".TP\n%s\n", head)
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteString(".br\n")
		}
		fmt.Fprintf(b, "%s\n", roff(strings.TrimSpace(line)))
	}
}

// roff escapes text, so that none of its lines is a command.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}
