package server

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAlertsAreRules: what a node tells by itself has the name and the severity
// of a rule, and a paragraph in the runbook.
func TestAlertsAreRules(t *testing.T) {
	text, err := os.ReadFile("../deploy/prometheus/rules/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../deploy/RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Groups []struct {
			Rules []struct {
				Alert  string
				Labels struct{ Severity string }
			}
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	rules := make(map[string]string)
	for _, g := range doc.Groups {
		for _, r := range g.Rules {
			rules[r.Alert] = r.Labels.Severity
		}
	}
	for name, severity := range severities {
		if rules[name] != severity || !strings.Contains(string(runbook), "\n### "+name+"\n") {
			t.Errorf("%s is of severity %q here and %q there, or has no paragraph", name, severity, rules[name])
		}
	}
	for part, name := range partAlerts {
		if severities[name] == "" {
			t.Errorf("%s: %s has no severity", part, name)
		}
	}
}
