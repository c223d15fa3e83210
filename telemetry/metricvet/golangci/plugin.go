// Package golangci makes metricvet a linter of golangci-lint, by its module plugin system. In .custom-gcl.yml:
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
// "golangci-lint custom" then builds a golangci-lint that has it. Names in dashboards and rules that no code emits are found by
// the command cmd/metricvet alone.
package golangci

import (
	"strconv"

	"github.com/golangci/plugin-module-register/register"
	"golang.org/x/tools/go/analysis"

	"github.com/onemeter/onemeter/telemetry/metricvet"
)

// golangci-lint looks for its plugins here.
func init() { register.Plugin("metricvet", newPlugin) }

type plugin struct {
	// Possible is metricvet's -possible: whatever depends on a condition, or on which registry is given, is reported too.
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

// GetLoadMode implements register.LinterPlugin: types are needed.
func (plugin) GetLoadMode() string { return register.LoadModeTypesInfo }
