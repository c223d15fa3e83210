// Package jsontype describes wrong types in JSON with the words of JSON, not of Go. Errors of requests and of frames use
// it, so they read the same.
package jsontype

import (
	"encoding/json"
	"reflect"
	"strings"
)

// Describe returns which type the field named by e must have, such as "receiver_id must be a whole number". into is the
// pointer to the struct that was decoded into. The answer is "" if e is about the whole value instead of a field.
func Describe(e *json.UnmarshalTypeError, into any) string {
	if e.Field == "" {
		return ""
	}
	// The field is a path, with the Go names of embedded structs: Target.receiver_id.
	name := e.Field[strings.LastIndexByte(e.Field, '.')+1:]
	return name + " must be " + wanted(fieldType(into, name, e.Type))
}

// fieldType returns the declared type of the field called name in JSON. For a wrong element of a list, the error has
// only the type of the element, which is otherwise.
func fieldType(into any, name string, otherwise reflect.Type) reflect.Type {
	for _, f := range reflect.VisibleFields(reflect.TypeOf(into).Elem()) {
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type
		}
	}
	return otherwise
}

// wanted describes a type in the terms of JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return wanted(t.Elem())
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		_, element, _ := strings.Cut(wanted(t.Elem()), " ")
		return "a list of " + element + "s"
	default:
		return "an object"
	}
}
