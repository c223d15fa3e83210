package main

import (
	"fmt"
	"strings"

	"github.com/onemeter/onemeter/server"
)

// subcommands print a text generated from the table of settings, and exit.
var subcommands = map[string]func() string{
	"completion bash": bashCompletion,
	"completion fish": fishCompletion,
	"completion zsh":  zshCompletion,
	"man":             manPage,
}

// subcommand returns the text that a command line without dashes asks for.
func subcommand(args []string) (text string, asked bool, err error) {
	if len(args) == 0 || args[0] != "completion" && args[0] != "man" {
		return "", false, nil
	}
	made, ok := subcommands[strings.Join(args, " ")]
	if !ok {
		return "", true, fmt.Errorf("unknown command %q: want imserver completion bash, fish or zsh, or imserver man", strings.Join(args, " "))
	}
	return made(), true, nil
}

// An option is a flag for a shell's completion.
type option struct {
	name, usage string
	arg         string   // empty: it takes no value
	choices     []string // possible values; empty: any
}

// options returns all settings, and the flags that are not settings.
func options() []option {
	r := request{cfg: server.DefaultConfig()}
	var all []option
	for _, s := range settings(&r) {
		arg, usage := unquote(s.usage)
		usage, _, _ = strings.Cut(usage, "\n")
		o := option{name: s.name, usage: usage, arg: arg}
		switch s.name {
		case "log-level":
			o.choices = []string{"debug", "info", "warn", "error"}
		case "log-format":
			o.choices = []string{"text", "json"}
		}
		all = append(all, o)
	}
	return append(all,
		option{name: "healthcheck", usage: "check whether the server at --addr is alive"},
		option{name: "version", usage: "print the version"},
		option{name: "help", usage: "list the settings"})
}

func (o option) isFile() bool { return o.arg == "FILE" }

// bashCompletion does not need the bash-completion package. Because of COMP_WORDBREAKS, bash splits --flag=value into
// three words.
func bashCompletion() string {
	var flags, files []string
	var cases strings.Builder
	for _, o := range options() {
		flags = append(flags, "--"+o.name)
		switch {
		case o.isFile():
			files = append(files, "--"+o.name)
		case len(o.choices) > 0:
			fmt.Fprintf(&cases, "    --%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", o.name, strings.Join(o.choices, " "))
		}
	}
	return fmt.Sprintf(`# bash completion of imserver: source <(imserver completion bash)
_imserver() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  [[ $word == = ]] && word=
  [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}
  [[ ${COMP_WORDS[COMP_CWORD]} == = ]] && before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $before in
    %s) compopt -o filenames 2>/dev/null; local IFS=$'\n'; COMPREPLY=($(compgen -f -- "$word")); return;;
%s    completion) COMPREPLY=($(compgen -W 'bash fish zsh' -- "$word")); return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '%s' -- "$word"));;
    *) if [[ $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W 'completion man' -- "$word")); fi;;
  esac
}
complete -F _imserver imserver
`, strings.Join(files, "|"), cases.String(), strings.Join(flags, " "))
}

func zshCompletion() string {
	var specs strings.Builder
	escape := strings.NewReplacer(`'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`, `\`, `\\`)
	for _, o := range options() {
		switch action := ""; {
		case o.arg == "":
			fmt.Fprintf(&specs, "  '--%s[%s]' \\\n", o.name, escape.Replace(o.usage))
		default:
			if o.isFile() {
				action = "_files"
			} else if len(o.choices) > 0 {
				action = "(" + strings.Join(o.choices, " ") + ")"
			}
			fmt.Fprintf(&specs, "  '--%s=[%s]:%s:%s' \\\n", o.name, escape.Replace(o.usage), escape.Replace(strings.ToLower(o.arg)), action)
		}
	}
	return fmt.Sprintf(`#compdef imserver
# zsh completion of imserver: imserver completion zsh > "${fpath[1]}/_imserver"
_arguments \
%s  '1::command:(completion man)' \
  '2::shell:(bash fish zsh)'
`, specs.String())
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString(`# fish completion of imserver: imserver completion fish > ~/.config/fish/completions/imserver.fish
complete -c imserver -f
complete -c imserver -n __fish_use_subcommand -a 'completion man'
complete -c imserver -n '__fish_seen_subcommand_from completion' -a 'bash fish zsh'
`)
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, o := range options() {
		how := ""
		switch {
		case o.isFile():
			how = " -r -F"
		case len(o.choices) > 0:
			how = " -x -a '" + strings.Join(o.choices, " ") + "'"
		case o.arg != "":
			how = " -x"
		}
		fmt.Fprintf(&b, "complete -c imserver -l %s%s -d '%s'\n", o.name, how, escape.Replace(o.usage))
	}
	return b.String()
}
