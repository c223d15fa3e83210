package metricvet

import (
	"bytes"
	"compress/flate"
	"encoding/gob"
	"maps"
	"slices"
)

// A packageFact is what a package and all that it links register. It holds these, and not only what is the package's own, for go
// vet passes on no facts of packages whose types the importer's API does not have.
type packageFact struct{ Linked packages }

// AFact makes it a fact about the package.
func (*packageFact) AFact() {}

// packages are records by import path.
type packages map[string]*record

// A record is what a package registers when a program starts that links it.
type record struct {
	Imports     []string // those that have a record
	Definitions []definition
	Names       []string // of all metrics that it makes, registered or not, each with its type
	Replaces    bool     // it puts another registry in place of client_golang's default
	Removes     bool     // it unregisters something
	Exports     bool     // it imports OpenTelemetry's Prometheus exporter
}

type pathRecord struct {
	Path   string
	Record *record
}

// GobEncode implements gob.GobEncoder: in the order of the paths, and compressed, for each package above has it again.
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
