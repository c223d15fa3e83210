package telemetry_test

import (
	"reflect"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/onemeter/onemeter/telemetry"
)

// TestImportersDoNotCompileTheSDK: a package that mentions a type compiles the generic types in its fields anew, at any
// depth. In the SDK's MeterProvider they have 1,400 functions.
func TestImportersDoNotCompileTheSDK(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type, string)
	walk = func(x reflect.Type, path string) {
		if seen[x] {
			return
		}
		seen[x] = true
		if x == reflect.TypeFor[sdkmetric.MeterProvider]() {
			t.Errorf("%s is the SDK's MeterProvider: an interface in between keeps it from importers", path)
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
		t.Errorf("walked only %d types of Provider, want at least 50", len(seen))
	}
}
