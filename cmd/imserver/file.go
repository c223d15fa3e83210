package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds the configuration file. The example, which explains every setting, is a tenth of it.
const maxFile = 64 << 10

// readFile reads the settings from the configuration file that neither a flag nor a variable has set.
func (p *parser) readFile(known []setting) error {
	text, everybody, err := slurp(p.file)
	if err != nil {
		return fmt.Errorf("--config: %w", err)
	}
	entries, err := entriesOf(text)
	if err != nil {
		return fmt.Errorf("%s: %w", p.file, err)
	}
	secret := false
	first := make(map[string]int)
	for i := 0; i < len(entries); i += 2 {
		key, v := entries[i], entries[i+1]
		from := fmt.Sprintf("%s:%d: %s", p.file, key.Line, key.Value)
		at := slices.IndexFunc(known, func(s setting) bool { return s.name == key.Value && s.name != "config" })
		text, err := textOf(v)
		switch {
		case at < 0 || key.Kind != yaml.ScalarNode:
			err = errors.New("unknown setting; imserver --help lists the settings, here without dashes")
		case first[key.Value] > 0:
			err = fmt.Errorf("is set twice, first in line %d", first[key.Value])
		case err == nil && p.given[key.Value] == "":
			p.set(from, known[at], text)
		}
		if err != nil {
			p.faults = append(p.faults, fmt.Errorf("%s: %w", from, err))
		}
		first[key.Value] = key.Line
		secret = secret || isSecret(key.Value, text)
	}
	if secret && everybody {
		p.warnings = append(p.warnings, "every user of this machine can read the secrets in "+p.file+"; use chmod 600, or put them into the environment")
	}
	return nil
}

// slurp reads a file, and reports whether everybody can read it. On Windows that is unknown, and false.
func slurp(name string) (text []byte, everybody bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, false, err // includes the file name
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: larger than %d bytes; is it the right file?", name, maxFile)
	}
	return text, info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows", err
}

// entriesOf returns alternating keys and values of a YAML document. It returns nodes instead of a map, because nodes
// know their lines and do not expand aliases.
func entriesOf(text []byte) ([]*yaml.Node, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil // only comments
	case err != nil:
		return nil, syntaxError(text, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("a second YAML document begins; put all settings into one")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: not a setting: want one on each line, such as max-upload: 100MiB", root.Line)
	}
	return root.Content, nil
}

// syntaxError puts the right line into a syntax error: the first one after the
// longest prefix of text that is valid. The library often reports the line before,
// or the line where the mapping begins.
func syntaxError(text []byte, err error) error {
	const most = 1000 // lines, since each prefix is parsed
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines) > most {
		return err
	}
	end := len(text)
	for n := len(lines); n > 0; n-- {
		end -= len(lines[n-1])
		var doc yaml.Node
		if e := yaml.Unmarshal(text[:end], &doc); e == nil {
			why := strings.TrimPrefix(err.Error(), "yaml: ")
			if at, rest, ok := strings.Cut(why, ": "); ok && strings.HasPrefix(at, "line ") {
				why = rest
			}
			return fmt.Errorf("line %d: %s", n, why)
		}
	}
	return err
}

// textOf returns a value in the form of a flag: lists are joined by commas.
func textOf(v *yaml.Node) (string, error) {
	switch {
	case v.Kind == yaml.ScalarNode && v.Tag == "!!null":
		return "", errors.New(`has no value: leave the line out for the default, or write ""`)
	case v.Kind == yaml.ScalarNode:
		return v.Value, nil
	case v.Kind == yaml.SequenceNode:
		var items []string
		for _, item := range v.Content {
			if item.Kind != yaml.ScalarNode {
				return "", errors.New("is a list with an item that is not a plain value")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("is neither a plain value nor a list of them")
}

// isSecret reports whether other users must not read a setting: a secret, or a URL that may hold a password.
func isSecret(name, text string) bool {
	return strings.HasSuffix(name, "-secret") || name == "metrics-token" || strings.Contains(text, "@")
}
