package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// runMicro runs the benchmarks of the root package once a round, so that the figures of a round were taken at nearly the
// same time.
func runMicro(root, tmp string, s settings) ([]result.Row, error) {
	binary := filepath.Join(tmp, "root.test")
	build := exec.Command("go", "test", "-c", "-o", binary, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go test -c: %w: %s", err, beginning(out))
	}
	var rows []result.Row
	for round := 1; round <= s.rounds; round++ {
		fmt.Fprintf(os.Stderr, "the loop's own costs, round %d of %d\n", round, s.rounds)
		cmd := exec.Command(binary, "-test.run", "^$", "-test.bench", ".", "-test.benchmem",
			"-test.benchtime", fmt.Sprintf("%gs", s.seconds/8))
		cmd.Dir = root
		out, err := cmd.CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, beginning(out))
		}
		if rows, err = addMicro(rows, round, string(out)); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		rows[i].Summarise()
	}
	return rows, nil
}

// bareSuffix marks the benchmark of what the operation before it would cost without a loop.
const bareSuffix = "Bare"

// addMicro reads what go test -bench prints, "BenchmarkX-2  N  12.3 ns/op  0 B/op ...", and adds it to the rows. A
// benchmark that times a batch reports ns/callback: that is then the operation.
func addMicro(rows []result.Row, round int, out string) ([]result.Row, error) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		units := map[string]float64{}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("a line of go test -bench that is not understood: %q", line)
			}
			units[f[i+1]] = v
		}
		values := map[result.Metric]float64{result.NS: units["ns/op"], result.Allocs: units["allocs/op"]}
		if ns, ok := units["ns/callback"]; ok {
			batch := math.Round(units["ns/op"] / ns)
			values[result.NS], values[result.Allocs] = ns, units["allocs/op"]/batch
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(f[0], "Benchmark"), "-")
		who := result.Asyncio
		if bare, ok := strings.CutSuffix(name, bareSuffix); ok {
			name, who = bare, result.Bare
		}
		w := result.Work{Kind: result.Cost, Name: name}
		at := slices.IndexFunc(rows, func(r result.Row) bool { return r.Work == w })
		if at < 0 {
			at = len(rows)
			rows = append(rows, result.Row{Work: w, Control: result.Bare})
		}
		rows[at].Add(who, round, values)
	}
	return rows, nil
}

func printMicro(w io.Writer, rows []result.Row) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w, "\nThe loop's own costs")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\t\tns\tallocations\t")
	for _, row := range rows {
		for _, r := range row.Results {
			fmt.Fprintf(tw, "%-20s\t%-10s\t%.1f\t%.3g\t\n", row.Name, r.Name, r.Figures[result.NS].Median, r.Figures[result.Allocs].Median)
		}
	}
	tw.Flush()
}
