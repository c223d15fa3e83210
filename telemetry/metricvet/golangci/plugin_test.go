package golangci_test

import (
	"testing"

	"github.com/golangci/plugin-module-register/register"

	"github.com/onemeter/onemeter/telemetry/metricvet"
	_ "github.com/onemeter/onemeter/telemetry/metricvet/golangci"
)

func TestPlugin(t *testing.T) {
	newPlugin, err := register.GetPlugin("metricvet")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = metricvet.Analyzer.Flags.Set("possible", "false") })
	for _, settings := range []any{nil, map[string]any{"possible": true}} {
		p, err := newPlugin(settings)
		if err != nil {
			t.Fatal(err)
		}
		if as, err := p.BuildAnalyzers(); err != nil || len(as) != 1 || as[0] != metricvet.Analyzer {
			t.Errorf("analyzers: %v, %v", as, err)
		}
		want := "false"
		if settings != nil {
			want = "true"
		}
		if got := metricvet.Analyzer.Flags.Lookup("possible").Value.String(); got != want {
			t.Errorf("with %v, possible is %s", settings, got)
		}
		if p.GetLoadMode() != register.LoadModeTypesInfo {
			t.Error("it is run without types")
		}
	}
	if _, err := newPlugin(map[string]any{"posible": true}); err == nil {
		t.Error("a setting that does not exist is taken")
	}
}
