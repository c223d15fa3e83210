// Grafana writes the dashboards: one file of JSON each, as Grafana reads them,
// from the tables in the other files of this folder. What is the same in every
// panel is said here, once; where a panel stands and what id it has follows
// from its place in its table.
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

// A row is a heading and the panels under it, from left to right. They wrap
// where the width of 24 is used up.
type row struct {
	title  string
	height int
	panels []panel
}

// A panel shows what its queries answer.
type panel struct {
	title, about string
	width        int
	kind         kind
	unit         string   // one of Grafana's own
	alert        string   // whose runbook it links to
	limits       []limit  // where it changes colour
	max          *float64 // of the axis; it begins at 0
	queries      []query
}

type kind string

const (
	number kind = "stat"
	chart  kind = "timeseries"
	table  kind = "table"
)

// A limit is a value from which on a panel has another colour.
type limit struct {
	from   float64
	colour string
}

// A query is an expression and what its series are called.
//
// In expressions {nodes} selects the nodes that are looked at, {nodes, …} among
// them, and [rate] is the window that Grafana chooses for rates.
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
