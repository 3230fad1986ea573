package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// microResult is one benchmark of the root package: medians over its runs, by unit.
type microResult struct {
	Name   string             `json:"name"` // without "Benchmark" and the number of processors
	Values map[string]float64 `json:"values"`
}

// runMicro runs the benchmarks of the root package, several times each, and returns them in their order.
func runMicro(root string, s settings) ([]microResult, error) {
	fmt.Fprintf(os.Stderr, "the loop's own costs: go test -bench, %d times\n", s.rounds)
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", ".", "-benchmem", "-count", strconv.Itoa(s.rounds),
		"-benchtime", fmt.Sprintf("%gs", s.seconds/4), ".")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, beginning(out))
	}
	return parseMicro(string(out))
}

// parseMicro reads what go test -bench prints: "BenchmarkX-2  N  12.3 ns/op  0 B/op ...".
func parseMicro(out string) ([]microResult, error) {
	var order []string
	values := map[string]map[string][]float64{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			name = name[:i]
		}
		if values[name] == nil {
			order = append(order, name)
			values[name] = map[string][]float64{}
		}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a line of go test -bench that is not understood: %q", line)
			}
			values[name][f[i+1]] = append(values[name][f[i+1]], v)
		}
	}
	results := make([]microResult, 0, len(order))
	for _, name := range order {
		r := microResult{Name: name, Values: map[string]float64{}}
		for unit, list := range values[name] {
			r.Values[unit] = medianOf(list)
		}
		results = append(results, r)
	}
	return results, nil
}

// micro finds a benchmark's value.
func (r *report) micro(name, unit string) (float64, bool) {
	i := slices.IndexFunc(r.Micro, func(m microResult) bool { return m.Name == name })
	if i < 0 {
		return 0, false
	}
	v, ok := r.Micro[i].Values[unit]
	return v, ok
}

func printMicro(w io.Writer, results []microResult) {
	if len(results) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe loop's own costs")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\tns/op\tallocs/op\t")
	for _, r := range results {
		fmt.Fprintf(tw, "%-24s\t%.1f\t%.0f\t\n", r.Name, r.Values["ns/op"], r.Values["allocs/op"])
	}
	tw.Flush()
}
