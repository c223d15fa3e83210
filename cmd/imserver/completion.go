package main

import (
	"fmt"
	"slices"
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
	verbs, byVerb := verbNames(), strings.Builder{}
	known := make(map[string]bool)
	for _, v := range adminVerbs {
		fmt.Fprintf(&byVerb, "      %s) COMPREPLY=($(compgen -W '%s' -- \"$word\")) || :;;\n", v.name, strings.Join(v.flags(), " "))
		for _, o := range v.options {
			if len(o.choices) > 0 && !known[o.name] {
				known[o.name] = true
				fmt.Fprintf(&cases, "    --%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", o.name, strings.Join(o.choices, " "))
			}
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
  if [[ $COMP_CWORD -ge 2 && ${COMP_WORDS[1]} == admin ]]; then
    if [[ $COMP_CWORD == 2 ]]; then COMPREPLY=($(compgen -W '%s' -- "$word")) || :; return 0; fi
    case ${COMP_WORDS[2]} in
%s    esac
    return
  fi
  case $word in
    -*) COMPREPLY=($(compgen -W '%s' -- "$word"));;
    *) if [[ $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W 'admin completion man' -- "$word")); fi;;
  esac
}
complete -F _imserver imserver
`, strings.Join(files, "|"), cases.String(), verbs, byVerb.String(), strings.Join(flags, " "))
}

// verbNames returns the names of the verbs, separated by spaces.
func verbNames() string {
	var names []string
	for _, v := range adminVerbs {
		names = append(names, v.name)
	}
	return strings.Join(names, " ")
}

// flags returns the options of a verb, with two dashes.
func (v adminVerb) flags() []string {
	var flags []string
	for _, o := range slices.Concat(v.options, everyVerb()) {
		flags = append(flags, "--"+o.name)
	}
	return flags
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
	var byVerb strings.Builder
	for _, v := range adminVerbs {
		fmt.Fprintf(&byVerb, "    %s) compadd -- %s;;\n", v.name, strings.Join(v.flags(), " "))
	}
	return fmt.Sprintf(`#compdef imserver
# zsh completion of imserver: imserver completion zsh > "${fpath[1]}/_imserver"
if (( CURRENT > 2 )) && [[ $words[2] == admin ]]; then
  if (( CURRENT == 3 )); then
    compadd -- %s
    return
  fi
  case $words[3] in
%s  esac
  return
fi
_arguments \
%s  '1::command:(admin completion man)' \
  '2::shell:(bash fish zsh)'
`, verbNames(), byVerb.String(), specs.String())
}

func fishCompletion() string {
	var b strings.Builder
	b.WriteString(`# fish completion of imserver: imserver completion fish > ~/.config/fish/completions/imserver.fish
complete -c imserver -f
complete -c imserver -n __fish_use_subcommand -a 'admin completion man'
complete -c imserver -n '__fish_seen_subcommand_from completion' -a 'bash fish zsh'
`)
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for _, o := range options() {
		fmt.Fprintf(&b, "complete -c imserver -n 'not __fish_seen_subcommand_from admin' -l %s%s -d '%s'\n", o.name, o.fish(), escape.Replace(o.usage))
	}
	fmt.Fprintf(&b, "complete -c imserver -n '__fish_seen_subcommand_from admin; and not __fish_seen_subcommand_from %[1]s' -a '%[1]s'\n", verbNames())
	for _, v := range adminVerbs {
		for _, o := range slices.Concat(v.options, everyVerb()) {
			fmt.Fprintf(&b, "complete -c imserver -n '__fish_seen_subcommand_from admin; and __fish_seen_subcommand_from %s' -l %s%s -d '%s'\n",
				v.name, o.name, o.fish(), escape.Replace(o.usage))
		}
	}
	return b.String()
}

// fish returns the arguments of fish's complete that describe the option's value.
func (o option) fish() string {
	switch {
	case o.isFile(), o.arg == "FOLDER":
		return " -r -F"
	case len(o.choices) > 0:
		return " -x -a '" + strings.Join(o.choices, " ") + "'"
	case o.arg != "":
		return " -x"
	}
	return ""
}
