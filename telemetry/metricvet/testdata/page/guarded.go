//go:build guarded

package page

// With this tag every program has the line that cures it.
import _ "github.com/onemeter/onemeter/telemetry/promguard"
