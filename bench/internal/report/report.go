// Package report writes what was measured for people to read: a page of tables with
// charts, and a comparison of two runs.
//
// Invariants
//   - The same report gives the same bytes, so that a page in version control changes
//     only with its figures.
//   - A contender has the same colour in every chart, whoever else takes part.
//   - What was not measured is left out; it is never drawn or written as zero.
package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

const (
	pageName     = "benchmarks.md"
	chartsFolder = "charts"
)

// Write writes the page and its charts into a folder, and removes charts of an earlier
// run that are no longer part of it.
func Write(folder string, r *result.Report) error {
	charts := chartsOf(r)
	dir := filepath.Join(folder, chartsFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	for _, c := range charts {
		var svg bytes.Buffer
		if err := c.svg(&svg); err != nil {
			return fmt.Errorf("chart %s: %w", c.file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, c.file), svg.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(folder, pageName), page(r, charts), 0o644)
}
