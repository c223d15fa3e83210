package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/onemeter/onemeter/internal/needs"
)

const runbookURL = "https://github.com/onemeter/onemeter/blob/main/deploy/RUNBOOK.md#"

// A rule is a recording rule or an alert.
type rule struct {
	Record, Alert, Expr string
	Labels, Annotations map[string]string
}

func rules(t *testing.T, file string) (all []rule) {
	t.Helper()
	var groups struct {
		Groups []struct{ Rules []rule }
	}
	read(t, file, &groups)
	for _, g := range groups.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) < 10 {
		t.Fatalf("%s has %d rules", file, len(all))
	}
	return all
}

func read(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no %s: %v", pattern, err)
	}
	return found
}

func TestPromtoolAccepts(t *testing.T) {
	ruleFiles := files(t, "prometheus/rules/*.yml")
	needs.Run(t, "promtool", append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, ruleFiles...)...)
	needs.Run(t, "promtool", "check", "config", "--lint=all", "--lint-fatal", configWithToken(t))
	needs.Run(t, "amtool", "check-config", "alertmanager/alertmanager.yml")
}

// configWithToken is the configuration in a folder where everything that it
// names is there.
func configWithToken(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("prometheus")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "prometheus.yml"))
	if err != nil {
		t.Fatal(err)
	}
	named, file := "/etc/prometheus/metrics.token", filepath.Join(dir, "prometheus.yml")
	if n := strings.Count(string(text), named); n != 1 {
		t.Fatalf("the token is named %d times", n)
	}
	mine := filepath.Join(dir, "metrics.token")
	for path, content := range map[string]string{mine: token, file: strings.ReplaceAll(string(text), named, mine)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// TestAlertsFireAndKeepQuiet runs the cases of prometheus/tests.
func TestAlertsFireAndKeepQuiet(t *testing.T) {
	for _, file := range files(t, "prometheus/tests/*.yml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			needs.Run(t, "promtool", "test", "rules", file)
		})
	}
}

// TestEveryAlertIsComplete wants of each alert a case that makes it fire and
// one that keeps it quiet, a paragraph in the runbook, and a severity that
// Alertmanager routes.
func TestEveryAlertIsComplete(t *testing.T) {
	fires, quiet := map[string]int{}, map[string]int{}
	for _, file := range files(t, "prometheus/tests/*.yml") {
		countCases(t, file, fires, quiet)
	}
	paragraphs := runbook(t)
	var names []string
	for _, r := range rules(t, "prometheus/rules/alerts.yml") {
		if r.Alert == "" {
			t.Errorf("%s is no alert: it belongs to recording.yml", r.Record)
			continue
		}
		names = append(names, r.Alert)
		if fires[r.Alert] == 0 || quiet[r.Alert] == 0 {
			t.Errorf("%s: %d cases fire, %d keep quiet", r.Alert, fires[r.Alert], quiet[r.Alert])
		}
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s has severity %q", r.Alert, s)
		}
		if r.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", r.Alert)
		}
		if want := runbookURL + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
			t.Errorf("%s has runbook %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
		}
		if len(strings.Fields(paragraphs[r.Alert])) < 30 {
			t.Errorf("the runbook says %q of %s", paragraphs[r.Alert], r.Alert)
		}
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("two alerts have one name: %q", names)
	}
	for _, there := range []map[string]int{fires, quiet} {
		for name := range there {
			if !slices.Contains(names, name) {
				t.Errorf("there are cases of %s, and no such alert", name)
			}
		}
	}
	for name := range paragraphs {
		if !slices.Contains(names, name) {
			t.Errorf("the runbook has %s, and there is no such alert", name)
		}
	}
}

// countCases counts those of a file, by alert. A case without input would be
// quiet whatever the rule says.
func countCases(t *testing.T, file string, fires, quiet map[string]int) {
	t.Helper()
	var cases struct {
		Tests []struct {
			Name        string
			InputSeries []any `yaml:"input_series"`
			Alerts      []struct {
				Alertname string
				Expected  []any `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	read(t, file, &cases)
	for _, c := range cases.Tests {
		if len(c.InputSeries) == 0 || len(c.Alerts) == 0 {
			t.Errorf("%s: %q tests nothing", file, c.Name)
		}
		for _, a := range c.Alerts {
			if len(a.Expected) > 0 {
				fires[a.Alertname]++
			} else {
				quiet[a.Alertname]++
			}
		}
	}
}

// runbook returns the paragraphs, by heading.
func runbook(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	paragraphs := make(map[string]string)
	for _, section := range strings.Split(string(text), "\n### ")[1:] {
		name, rest, _ := strings.Cut(section, "\n")
		paragraph, _, _ := strings.Cut(rest, "\n\n")
		paragraphs[name] = paragraph
	}
	return paragraphs
}

// levelMetricOperations is how Prometheus' own guide names recorded series.
var levelMetricOperations = regexp.MustCompile(`^(job|instance):[a-z0-9_]+:([a-z0-9]+_)?(rate|avg|max|increase)[0-9]*[mh]?$`)

func TestRecordedNames(t *testing.T) {
	for _, r := range rules(t, "prometheus/rules/recording.yml") {
		if !levelMetricOperations.MatchString(r.Record) {
			t.Errorf("%q is not level:metric:operations", r.Record)
		}
	}
}
