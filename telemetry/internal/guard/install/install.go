// Package install replaces client_golang's default registry with a guard when it is initialized. It may import only
// package guard; the comment of that package says why.
package install

import "github.com/onemeter/onemeter/telemetry/internal/guard"

func init() { guard.Install() }
