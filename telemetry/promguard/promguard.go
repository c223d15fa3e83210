// Package promguard makes client_golang's default registry one that never panics. One blank import does it, best in
// main:
//
//	import _ "github.com/onemeter/onemeter/telemetry/promguard"
package promguard

import (
	_ "github.com/onemeter/onemeter/telemetry" // makes the page
	_ "github.com/onemeter/onemeter/telemetry/internal/guard/install"
)
