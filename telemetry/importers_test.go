package telemetry_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/onemeter/onemeter/telemetry"
)

// TestImportersDoNotCompileTheSDK: a package that mentions a type compiles the generic types in its fields anew, at any
// depth. In the SDK's pipelines they have 1,400 functions.
func TestImportersDoNotCompileTheSDK(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type, string)
	walk = func(x reflect.Type, path string) {
		if seen[x] {
			return
		}
		seen[x] = true
		if strings.HasSuffix(x.PkgPath(), "otel/sdk/metric") && strings.HasPrefix(x.Name(), "pipeline") {
			t.Errorf("%s is a %s: an interface in between keeps it from importers", path, x)
			return
		}
		switch x.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
			walk(x.Elem(), path)
		case reflect.Map:
			walk(x.Key(), path)
			walk(x.Elem(), path)
		case reflect.Struct:
			for i := range x.NumField() {
				walk(x.Field(i).Type, path+"."+x.Field(i).Name)
			}
		}
	}
	walk(reflect.TypeFor[telemetry.Provider](), "Provider")
	if len(seen) < 50 {
		t.Errorf("%d types were seen", len(seen))
	}
}
