package telemetry

import (
	"reflect"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// thisPackage is the import path of this package.
var thisPackage = reflect.TypeFor[Provider]().PkgPath()

// callSite returns the way to the code that asked for an instrument. It is empty where an instrument reaches the SDK
// through Setup: then the code that asked is no longer on the stack.
func callSite() site.Path {
	stack := site.Here(1)
	if stack.Has(thisPackage + ".Setup") {
		return nil
	}
	return stack.Path()
}

// callerOfSetup returns the way to the code that called Setup.
func callerOfSetup() site.Path { return site.Here(1).Path() }
