package metricvet

import (
	"bytes"
	"encoding/gob"
	"maps"
	"slices"
	"strings"
)

// A value is what is known of an expression: how a program computes it, with holes for what depends on a caller or is
// unknown. Values are facts, so they are plain data.
type value struct {
	Kind   kind
	Parts  []part   // of a text
	Items  []value  // of a list
	Fields fields   // of a struct, or the result of a constructor
	Func   string   // of a call: the function applied to Items
	Param  int      // of a parameter: its index; -1 is the receiver
	Path   []string // of a parameter: the selected fields
	Partly bool     // of an object: other fields may be set
}

// fields are values by name. They are encoded in sorted order, so that equal facts have equal bytes.
type fields map[string]value

type field struct {
	Name  string
	Value value
}

// GobEncode implements gob.GobEncoder.
func (f fields) GobEncode() ([]byte, error) {
	list := make([]field, 0, len(f))
	for _, name := range slices.Sorted(maps.Keys(f)) {
		list = append(list, field{name, f[name]})
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(list)
	return b.Bytes(), err
}

// GobDecode implements gob.GobDecoder.
func (f *fields) GobDecode(data []byte) error {
	var list []field
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(&list); err != nil {
		return err
	}
	*f = make(fields, len(list))
	for _, one := range list {
		(*f)[one.Name] = one.Value
	}
	return nil
}

type kind int

const (
	unknown    kind = iota
	text            // a string
	list            // a slice; or, for a loop's variable, each element
	object          // a struct
	param           // a parameter
	metric          // from a constructor of a metric: its fields are those of a definition
	registerer      // of client_golang; Fields["registry"] says which
	meter           // of OpenTelemetry; Fields["provider"] and Fields["scope"]
	call            // a string function with an argument that is not known yet
	zero            // nil, or left out of a composite literal
)

// A part of a text is a literal, depends on the caller, or is a hole.
type part struct {
	Literal string
	Of      *value // a param or a call
	Hole    bool
}

func literal(s string) value { return value{Kind: text, Parts: []part{{Literal: s}}} }

var hole = value{Kind: text, Parts: []part{{Hole: true}}}

// known returns the text of a value without holes.
func (v value) known() (string, bool) {
	if v.Kind == call {
		return v.computed()
	}
	if v.Kind != text {
		return "", v.Kind == zero
	}
	var b strings.Builder
	for _, p := range v.Parts {
		if p.Of != nil || p.Hole {
			return "", false
		}
		b.WriteString(p.Literal)
	}
	return b.String(), true
}

// computed applies the function of a call, if its arguments are known.
func (v value) computed() (string, bool) {
	var in []string
	for _, item := range v.Items {
		s, ok := item.known()
		if !ok {
			return "", false
		}
		in = append(in, s)
	}
	return textFuncs[v.Func](in), true
}

// pattern returns the text with "*" for each hole.
func (v value) pattern() string {
	switch v.Kind {
	case zero:
		return ""
	case call:
		if s, ok := v.computed(); ok {
			return s
		}
		if v.Func == buildFQName {
			return textFuncs[buildFQName]([]string{v.Items[0].pattern(), v.Items[1].pattern(), v.Items[2].pattern()})
		}
		return "*"
	case text:
	default:
		return "*"
	}
	var b strings.Builder
	for _, p := range v.Parts {
		if p.Of != nil || p.Hole {
			b.WriteByte('*')
		} else {
			b.WriteString(p.Literal)
		}
	}
	return b.String()
}

// texts returns the elements of a list of known texts.
func (v value) texts() ([]string, bool) {
	if v.Kind != list {
		return nil, v.Kind == zero
	}
	out := []string{}
	for _, item := range v.Items {
		s, ok := item.known()
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// asText converts a value to a text.
func (v value) asText() value {
	switch v.Kind {
	case text:
		return v
	case call:
		if s, ok := v.computed(); ok {
			return literal(s)
		}
		if v.open() {
			return value{Kind: text, Parts: []part{{Of: &v}}}
		}
	case param:
		return value{Kind: text, Parts: []part{{Of: &v}}}
	case zero:
		return literal("")
	}
	return hole
}

// joined concatenates texts.
func joined(vs ...value) value {
	out := value{Kind: text}
	for _, v := range vs {
		out.Parts = append(out.Parts, v.asText().Parts...)
	}
	if len(out.Parts) > maxParts {
		return hole
	}
	return out
}

// maxParts bounds a text, because names are short.
const maxParts = 64

// shared returns what remains known of a value that other code may change: metrics stay the same, but strings,
// options and registries may be replaced.
func (v value) shared() value {
	switch v.Kind {
	case metric:
		return v
	case object:
		out := value{Kind: object, Partly: true, Fields: fields{}}
		for name, f := range v.Fields {
			out.Fields[name] = f.shared()
		}
		return out
	case list:
		out := value{Kind: list}
		for _, item := range v.Items {
			item = item.shared()
			if item.Kind == unknown {
				return value{}
			}
			out.Items = append(out.Items, item)
		}
		return out
	}
	return value{}
}

// field selects a field.
func (v value) field(name string) value {
	switch v.Kind {
	case param:
		v.Path = append(slices.Clip(v.Path), name)
		return v
	case object, metric, registerer, meter:
		if f, ok := v.Fields[name]; ok {
			return f
		}
		if v.Kind == object && !v.Partly {
			return value{Kind: zero}
		}
	case list:
		if name == element {
			return v
		}
		out := value{Kind: list}
		for _, item := range v.Items {
			out.Items = append(out.Items, item.field(name))
		}
		return out
	case zero:
		return v
	}
	return value{}
}

// element is the field name that stands for each element of a list.
const element = "[]"

// open reports whether a value depends on a parameter.
func (v value) open() bool {
	switch v.Kind {
	case param:
		return true
	case text:
		return slices.ContainsFunc(v.Parts, func(p part) bool { return p.Of != nil })
	}
	if slices.ContainsFunc(v.Items, value.open) {
		return true
	}
	for _, f := range v.Fields {
		if f.open() {
			return true
		}
	}
	return false
}

// fill replaces the parameters by a caller's arguments.
func (v value) fill(args func(int) value) value {
	switch v.Kind {
	case param:
		out := args(v.Param)
		for _, name := range v.Path {
			out = out.field(name)
		}
		return out
	case text:
		if !v.open() {
			return v
		}
		out := value{Kind: text}
		for _, p := range v.Parts {
			if p.Of == nil {
				out.Parts = append(out.Parts, p)
			} else {
				out.Parts = append(out.Parts, p.Of.fill(args).asText().Parts...)
			}
		}
		return out
	}
	if !v.open() {
		return v
	}
	out := value{Kind: v.Kind, Func: v.Func, Partly: v.Partly}
	for _, item := range v.Items {
		out.Items = append(out.Items, item.fill(args))
	}
	if v.Fields != nil {
		out.Fields = make(fields, len(v.Fields))
		for name, f := range v.Fields {
			out.Fields[name] = f.fill(args)
		}
	}
	return out
}
