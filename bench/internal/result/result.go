// Package result holds what the benchmarks measured: a report of rows, each one kind of
// work done by several contenders.
//
// A row is the same for every kind of work. Who measures calls Add for each sample, in
// the order in which the contenders are to be listed, and Summarise when all rounds are
// done. Values that a kind of work does not have are left out.
//
// Invariants
//   - A ratio is taken within a round: two figures of one round were measured at nearly
//     the same time on the same machine. The figure that is published is the median of
//     the rounds' ratios.
//   - A Work is comparable: it is the key of its row, also between two reports.
//   - Summarise depends on the samples only, so that a saved report can be summarised
//     anew.
package result

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Report is all that was measured in a run.
type Report struct {
	Go       string            `json:"go"`
	CPU      string            `json:"cpu"`
	CPUs     int               `json:"cpus"`
	Kernel   string            `json:"kernel,omitempty"`
	Commit   string            `json:"commit,omitempty"`   // of asyncio, short
	Versions map[string]string `json:"versions,omitempty"` // of what else took part: libuv, python, uvloop, node
	Time     time.Time         `json:"time"`
	Rounds   int               `json:"rounds,omitempty"`
	Seconds  float64           `json:"seconds,omitempty"` // length of one measurement
	Rows     []Row             `json:"rows,omitempty"`
	Targets  []Target          `json:"targets,omitempty"`
	Absent   []Absent          `json:"absent,omitempty"`
	Failed   []Failed          `json:"failed,omitempty"`
}

// Absent is a contender that is not installed.
type Absent struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// Failed is a contender that is installed, but could not be measured.
type Failed struct {
	Name  string `json:"name"`
	Work  string `json:"work"`
	Error string `json:"error"`
}

// Target is one row of the design's table of speeds to reach.
type Target struct {
	Work     string `json:"work"`
	Reach    string `json:"reach"`
	Measured string `json:"measured"` // "" if a part of it was not measured
	Met      bool   `json:"met"`
}

// Row finds the row of a work.
func (r *Report) Row(w Work) (Row, bool) {
	i := slices.IndexFunc(r.Rows, func(row Row) bool { return row.Work == w })
	if i < 0 {
		return Row{}, false
	}
	return r.Rows[i], true
}

// Kind is the rows of one kind, in the order in which they were measured.
func (r *Report) Kind(k Kind) []Row {
	var rows []Row
	for _, row := range r.Rows {
		if row.Kind == k {
			rows = append(rows, row)
		}
	}
	return rows
}

// Figure finds what a contender reached in a work.
func (r *Report) Figure(w Work, name string, m Metric) (Figure, bool) {
	row, ok := r.Row(w)
	if !ok {
		return Figure{}, false
	}
	return row.Figure(name, m)
}

// WriteFile saves a report, with every sample.
func (r *Report) WriteFile(name string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, append(b, '\n'), 0o644)
}

// ReadFile reads a report that WriteFile has saved.
func ReadFile(name string) (*Report, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &Report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s is not a saved report: %w", name, err)
	}
	return r, nil
}
