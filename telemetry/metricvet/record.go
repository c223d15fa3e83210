package metricvet

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"maps"
	"slices"
)

// A packageFact has the records of a package and of all packages that it links. The package's own record would not be
// enough, because go vet does not pass on facts of packages whose types are not in the importer's API.
type packageFact struct{ Linked packages }

// AFact marks it as a fact about the package.
func (*packageFact) AFact() {}

// packages are records by import path.
type packages map[string]*record

// A record is what a package registers when a program that links it starts.
type record struct {
	Imports     []string // imports that have a record
	Definitions []definition
	Names       []string // of all metrics that it creates, registered or not, with their types
	Replaces    bool     // whether it replaces client_golang's default registry
	Removes     bool     // whether it unregisters something
	Exports     bool     // whether it imports OpenTelemetry's Prometheus exporter
}

type pathRecord struct {
	Path   string
	Record *record
}

// GobEncode implements gob.GobEncoder. It sorts by path, and compresses, because every importing package repeats the
// data.
func (p packages) GobEncode() ([]byte, error) {
	list := make([]pathRecord, 0, len(p))
	for _, path := range slices.Sorted(maps.Keys(p)) {
		list = append(list, pathRecord{path, p[path]})
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	if err := gob.NewEncoder(w).Encode(list); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

// GobDecode implements gob.GobDecoder.
func (p *packages) GobDecode(data []byte) error {
	var list []pathRecord
	if err := gob.NewDecoder(flate.NewReader(bytes.NewReader(data))).Decode(&list); err != nil {
		return err
	}
	*p = make(packages, len(list))
	for _, one := range list {
		(*p)[one.Path] = one.Record
	}
	return nil
}
