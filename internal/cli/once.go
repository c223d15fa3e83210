package cli

import (
	"flag"
	"fmt"
)

// Once makes each flag of a set keep its first value. If a flag is given again, Once calls twice with an error, once for
// each such flag. Call Once after all flags are defined, and before they are parsed.
func Once(flags *flag.FlagSet, twice func(error)) {
	flags.VisitAll(func(f *flag.Flag) {
		f.Value = &once{Value: f.Value, again: func() { twice(fmt.Errorf("--%s is given twice", f.Name)) }}
	})
}

type once struct {
	flag.Value
	given int
	again func()
}

func (o *once) Set(text string) error {
	if o.given++; o.given > 1 {
		if o.given == 2 {
			o.again()
		}
		return nil
	}
	return o.Value.Set(text)
}

// IsBoolFlag tells package flag whether the flag needs no value.
func (o *once) IsBoolFlag() bool {
	b, ok := o.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
