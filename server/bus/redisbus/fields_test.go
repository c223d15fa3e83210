package redisbus_test

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/onemeter/onemeter/server/chat"
)

// TestEveryFieldCrosses finds fields that events get later: each but Except has
// to come to the other nodes.
func TestEveryFieldCrosses(t *testing.T) {
	var e chat.Event
	v := reflect.ValueOf(&e).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Interface().(type) {
		case []int64:
			f.Set(reflect.ValueOf([]int64{3, 5}))
		case time.Time:
			f.Set(reflect.ValueOf(time.Date(2026, 11, 22, 0, 0, 0, i, time.UTC)))
		default:
			switch f.Kind() {
			case reflect.String:
				f.SetString(v.Type().Field(i).Name)
			case reflect.Int64:
				f.SetInt(int64(i + 1))
			case reflect.Uint64:
				f.SetUint(uint64(i + 1))
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Interface:
				f.Set(reflect.ValueOf(json.RawMessage(`{}`)))
			default:
				t.Fatalf("field %s: give it a value here", v.Type().Field(i).Name)
			}
		}
	}
	a, b := twoNodes(t)
	if err := a.Publish(context.Background(), e); err != nil {
		t.Fatal(err)
	}
	b.waitFor(t, 1)
	e.Except = 0
	if diff := cmp.Diff(e, b.got()[0]); diff != "" {
		t.Error(diff)
	}
}
