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

// maxFile bounds the configuration file: the example, which explains every
// setting, is a tenth of it.
const maxFile = 64 << 10

// readFile takes from the configuration file what neither a flag nor a variable
// has set.
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
			err = errors.New("unknown setting; imserver --help lists them, and here they have no dashes")
		case first[key.Value] > 0:
			err = fmt.Errorf("is set twice, first in line %d", first[key.Value])
		case err == nil && !p.given[key.Value]:
			p.set(from, known[at], text)
		}
		if err != nil {
			p.faults = append(p.faults, fmt.Errorf("%s: %w", from, err))
		}
		first[key.Value] = key.Line
		secret = secret || isSecret(key.Value, text)
	}
	if secret && everybody {
		p.warnings = append(p.warnings, "every user of this machine can read the secrets in "+p.file+": chmod 600, or put them into the environment")
	}
	return nil
}

// slurp reads a file, and tells whether everybody can. On Windows the mode does
// not say.
func slurp(name string) (text []byte, everybody bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, false, err // names the file
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes: is it the right file?", name, maxFile)
	}
	return text, info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows", err
}

// entriesOf returns the keys and values of a YAML document, in turn. Nodes, and
// not a map, since they know their lines, and expand no aliases.
func entriesOf(text []byte) ([]*yaml.Node, error) {
	var doc, more yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil // comments only
	case err != nil:
		return nil, err // names the line
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("a second document begins: all settings are in one")
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: no setting: one a line, such as max-upload: 100MiB", root.Line)
	}
	return root.Content, nil
}

// textOf is a value as a flag would have it: lists are joined by commas.
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
				return "", errors.New("is a list of something else than plain values")
			}
			items = append(items, item.Value)
		}
		return strings.Join(items, ","), nil
	}
	return "", errors.New("is no plain value, and no list of them")
}

// isSecret tells whether a setting is one that others should not read. URLs are,
// if they hold a password.
func isSecret(name, text string) bool {
	return strings.HasSuffix(name, "-secret") || name == "metrics-token" || strings.Contains(text, "@")
}
