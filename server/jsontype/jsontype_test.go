package jsontype_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/onemeter/onemeter/server/jsontype"
)

type Target struct {
	ReceiverID int64 `json:"receiver_id"`
}

func TestDescribe(t *testing.T) {
	type body struct {
		Target
		Content string   `json:"content"`
		Typing  *bool    `json:"is_typing,omitempty"`
		IDs     []int64  `json:"user_ids"`
		Tags    []string `json:"tags"`
		Rate    float64  `json:"rate"`
		Inner   struct {
			Count int `json:"count"`
		} `json:"inner"`
	}
	for text, want := range map[string]string{
		`{"receiver_id": "2"}`:      "receiver_id must be a whole number",
		`{"receiver_id": 1e300}`:    "receiver_id must be a whole number",
		`{"content": [1]}`:          "content must be a string",
		`{"is_typing": "yes"}`:      "is_typing must be true or false",
		`{"user_ids": 5}`:           "user_ids must be a list of whole numbers",
		`{"user_ids": [1, "2"]}`:    "user_ids must be a list of whole numbers",
		`{"tags": [7]}`:             "tags must be a list of strings",
		`{"rate": "fast"}`:          "rate must be a number",
		`{"inner": 1}`:              "inner must be an object",
		`{"inner": {"count": "1"}}`: "count must be a whole number",
		`[]`:                        "",
		`"x"`:                       "",
	} {
		var into body
		e, ok := errors.AsType[*json.UnmarshalTypeError](json.Unmarshal([]byte(text), &into))
		if !ok {
			t.Fatalf("%s: no error of a type", text)
		}
		if got := jsontype.Describe(e, &into); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}
