package telemetry

import (
	"reflect"

	"github.com/onemeter/onemeter/telemetry/internal/site"
)

// thisPackage is the import path of this package.
var thisPackage = reflect.TypeFor[Provider]().PkgPath()

// callSite returns the call path to the code that requested an instrument. It is empty for instruments that Setup
// creates, because the code that requested them is no longer on the stack.
func callSite() site.Path {
	stack := site.Here(1)
	if stack.Has(thisPackage + ".Setup") {
		return nil
	}
	return stack.Path()
}

// callerOfSetup returns the call path to the code that called Setup.
func callerOfSetup() site.Path { return site.Here(1).Path() }
