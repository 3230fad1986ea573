package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// microResult is one benchmark of the root package: its figures by unit, one for each round.
type microResult struct {
	Name    string               `json:"name"` // without "Benchmark" and the number of processors
	Samples map[string][]float64 `json:"samples"`
}

// value is the median over the rounds.
func (m microResult) value(unit string) float64 {
	if len(m.Samples[unit]) == 0 {
		return 0
	}
	return medianOf(slices.Clone(m.Samples[unit]))
}

// runMicro runs the benchmarks of the root package once a round, so that the figures of a round were taken at nearly the
// same time.
func runMicro(root, tmp string, s settings) ([]microResult, error) {
	binary := filepath.Join(tmp, "root.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w: %s", err, beginning(out))
	}
	var results []microResult
	for round := 1; round <= s.rounds; round++ {
		fmt.Fprintf(os.Stderr, "the loop's own costs, round %d of %d\n", round, s.rounds)
		cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", ".", "-test.benchmem",
			"-test.benchtime", fmt.Sprintf("%gs", s.seconds/8))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, beginning(out))
		}
		if results, err = addMicro(results, string(out)); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// addMicro reads what go test -bench prints, "BenchmarkX-2  N  12.3 ns/op  0 B/op ...", and adds it to the results.
func addMicro(results []microResult, out string) ([]microResult, error) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		at := slices.IndexFunc(results, func(m microResult) bool { return m.Name == name })
		if at < 0 {
			at = len(results)
			results = append(results, microResult{name, map[string][]float64{}})
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a line of go test -bench that is not understood: %q", line)
			}
			results[at].Samples[f[i+1]] = append(results[at].Samples[f[i+1]], v)
		}
	}
	return results, nil
}

// micro finds a benchmark's figures.
func (r *report) micro(name, unit string) (result microResult, ok bool) {
	i := slices.IndexFunc(r.Micro, func(m microResult) bool { return m.Name == name && len(m.Samples[unit]) > 0 })
	if i < 0 {
		return microResult{}, false
	}
	return r.Micro[i], true
}

// microRatio is the median of the ratios that two benchmarks had round by round.
func microRatio(over, under microResult) float64 {
	a, b := over.Samples["ns/op"], under.Samples["ns/op"]
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return medianOf(ratios)
}

func printMicro(w io.Writer, results []microResult) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe loop's own costs")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tns/op\tallocs/op\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%-24s\t%.1f\t%.0f\t\n", r.Name, r.value("ns/op"), r.value("allocs/op"))
	}
	tw.Flush()
}
