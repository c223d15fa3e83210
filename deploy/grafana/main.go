// Grafana generates the dashboards, one JSON file each, from the tables in the other
// files of this folder. The position and the id of a panel follow from its place in
// its table.
//
//	go run ./deploy/grafana deploy/grafana/dashboards
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// A board is a dashboard.
type board struct {
	uid, title, about string
	rows              []row
}

// A row is a heading and the panels under it, from left to right. They wrap at
// a width of 24.
type row struct {
	title  string
	height int
	panels []panel
}

// A panel shows the results of its queries.
type panel struct {
	title, about string
	width        int
	kind         kind
	unit         string   // one of Grafana's
	alert        string   // the alert whose runbook paragraph it links to
	limits       []limit  // values at which the colour changes
	max          *float64 // of the axis, which begins at 0
	queries      []query
}

type kind string

const (
	number kind = "stat"
	chart  kind = "timeseries"
	table  kind = "table"
)

// A limit is a value from which a panel has another colour.
type limit struct {
	from   float64
	colour string
}

// A query is an expression and the legend of its series.
//
// In expressions {nodes} selects the nodes chosen in Grafana, {nodes, …} adds
// conditions, and [rate] is the window that Grafana chooses for rates.
type query struct {
	expr, legend string
	exemplars    bool // dots that lead to traces
}

func boards() []board {
	return []board{overview, messaging, realtime, stores, runtime}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run ./deploy/grafana FOLDER")
		os.Exit(2)
	}
	for _, b := range boards() {
		text, err := b.encode()
		if err == nil {
			err = os.WriteFile(filepath.Join(os.Args[1], b.uid+".json"), text, 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "grafana:", err)
			os.Exit(1)
		}
	}
}

func (b board) encode() ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // an expression has <, > and &
	enc.SetIndent("", "  ")
	err := enc.Encode(b.dashboard())
	return text.Bytes(), err
}
