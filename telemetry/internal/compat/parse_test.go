package compat_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
)

var contentTypes = map[string]string{
	".text":        "text/plain; version=0.0.4",
	".openmetrics": "application/openmetrics-text; version=1.0.0",
	".protobuf":    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
}

// Prometheus's own parser reads every page that the tests of package telemetry scrape, in every format.
func TestPrometheusReadsEveryPage(t *testing.T) {
	dir := t.TempDir()
	run := exec.Command("go", "test", "-count=1", ".")
	run.Dir = filepath.Join("..", "..")
	run.Env = append(os.Environ(), "TELEMETRY_PAGES="+dir, "GOFLAGS=")
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 200 {
		t.Fatalf("%d pages, %v", len(files), err)
	}
	for _, f := range files {
		body, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := parse(body, contentTypes[filepath.Ext(f.Name())]); err != nil {
			t.Errorf("%s: %v", f.Name(), err)
		}
	}
	t.Logf("%d pages", len(files))
}

// parse reads a whole page. A duplicate series, a duplicate metadata line and a family in two pieces are errors too;
// the parser leaves these to the storage.
func parse(page []byte, contentType string) error {
	p, err := textparse.New(page, contentType, labels.NewSymbolTable(), textparse.ParserOptions{})
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var l labels.Labels
		key := ""
		switch entry {
		case textparse.EntrySeries, textparse.EntryHistogram:
			p.Labels(&l)
			key = l.String()
			if name, ok := l.HasDuplicateLabelNames(); ok {
				return errors.New("label " + name + " twice in " + key)
			}
			if !l.IsValid(model.LegacyValidation) {
				return errors.New("invalid labels " + key)
			}
		case textparse.EntryType:
			name, _ := p.Type()
			key = "TYPE " + string(name)
		case textparse.EntryHelp:
			name, _ := p.Help()
			key = "HELP " + string(name)
		}
		if key != "" && seen[key] {
			return errors.New(key + " twice")
		}
		seen[key] = true
	}
}
