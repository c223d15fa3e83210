// Package golangci makes metricvet a linter of golangci-lint, through its module plugin system. In .custom-gcl.yml:
//
//	version: v2.15.0
//	plugins:
//	  - module: github.com/onemeter/onemeter
//	    import: github.com/onemeter/onemeter/telemetry/metricvet/golangci
//	    version: latest
//
// and in .golangci.yml:
//
//	version: "2"
//	linters:
//	  enable: [metricvet]
//	  settings:
//	    custom:
//	      metricvet:
//	        type: module
//	        settings:
//	          possible: false
//
// "golangci-lint custom" then builds a golangci-lint that includes it. Only the command cmd/metricvet finds names in
// dashboards and rules that no code emits.
package golangci

import (
	"strconv"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/onemeter/onemeter/telemetry/metricvet"
)

// golangci-lint finds its plugins in this register.
func init() { register.Plugin("metricvet", newPlugin) }

type plugin struct {
	// Possible is metricvet's flag -possible: whether to also report possible conflicts. The default is false.
	Possible bool `json:"possible"`
}

func newPlugin(settings any) (register.LinterPlugin, error) {
	return register.DecodeSettings[plugin](settings)
}

// BuildAnalyzers implements register.LinterPlugin.
func (p plugin) BuildAnalyzers() ([]*analysis.Analyzer, error) {
	a := metricvet.Analyzer
	return []*analysis.Analyzer{a}, a.Flags.Set("possible", strconv.FormatBool(p.Possible))
}

// GetLoadMode implements register.LinterPlugin. The analyzer needs types.
func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
