// Package install puts a guard in the place of client_golang's default registry when it is initialized. It may import
// package guard only; see there why.
package install

import "github.com/onemeter/onemeter/telemetry/internal/guard"

func init() { guard.Install() }
