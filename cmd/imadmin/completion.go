package main

import (
	"fmt"
	"strings"
)

// completion returns the completion script for a shell, made from the table of
// settings.
func completion(args []string) (string, error) {
	made := map[string]func([]setting) string{"bash": bashCompletion, "fish": fishCompletion, "zsh": zshCompletion}
	if len(args) == 1 && made[args[0]] != nil {
		cfg := defaultConfig()
		all := append(settings(&cfg),
			setting{name: "healthcheck", usage: "check whether the imadmin at --addr is alive"},
			setting{name: "version", usage: "print the version"},
			setting{name: "help", usage: "list the settings"})
		return made[args[0]](all), nil
	}
	return "", fmt.Errorf("unknown shell %q: write imadmin completion bash, fish or zsh", strings.Join(args, " "))
}

func bashCompletion(all []setting) string {
	var names []string
	var cases strings.Builder
	for _, s := range all {
		names = append(names, "--"+s.name)
		if len(s.choices) > 0 {
			fmt.Fprintf(&cases, "    --%s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", s.name, strings.Join(s.choices, " "))
		}
	}
	return fmt.Sprintf(`# bash completion of imadmin: source <(imadmin completion bash)
_imadmin() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  [[ $word == = ]] && word=
  [[ $before == = ]] && before=${COMP_WORDS[COMP_CWORD-2]}
  COMPREPLY=()
  case $before in
%s    completion) COMPREPLY=($(compgen -W 'bash fish zsh' -- "$word")); return;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '%s' -- "$word"));;
    *) if [[ $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W completion -- "$word")); fi;;
  esac
}
complete -F _imadmin imadmin
`, cases.String(), strings.Join(names, " "))
}

func fishCompletion(all []setting) string {
	var b strings.Builder
	b.WriteString(`# fish completion of imadmin: imadmin completion fish > ~/.config/fish/completions/imadmin.fish
complete -c imadmin -f
complete -c imadmin -n __fish_use_subcommand -a completion
complete -c imadmin -n '__fish_seen_subcommand_from completion' -a 'bash fish zsh'
`)
	for _, s := range all {
		how := ""
		if len(s.choices) > 0 {
			how = " -x -a '" + strings.Join(s.choices, " ") + "'"
		} else if s.arg != "" {
			how = " -x"
		}
		fmt.Fprintf(&b, "complete -c imadmin -l %s%s -d '%s'\n", s.name, how, s.usage)
	}
	return b.String()
}

func zshCompletion(all []setting) string {
	var b strings.Builder
	escape := strings.NewReplacer(`[`, `\[`, `]`, `\]`, `:`, `\:`)
	for _, s := range all {
		if s.arg == "" {
			fmt.Fprintf(&b, "  '--%s[%s]' \\\n", s.name, escape.Replace(s.usage))
			continue
		}
		action := ""
		if len(s.choices) > 0 {
			action = "(" + strings.Join(s.choices, " ") + ")"
		}
		fmt.Fprintf(&b, "  '--%s=[%s]:%s:%s' \\\n", s.name, escape.Replace(s.usage), escape.Replace(strings.ToLower(s.arg)), action)
	}
	return fmt.Sprintf(`#compdef imadmin
# zsh completion of imadmin: imadmin completion zsh > "${fpath[1]}/_imadmin"
_arguments \
%s  '1::command:(completion)' \
  '2::shell:(bash fish zsh)'
`, b.String())
}
