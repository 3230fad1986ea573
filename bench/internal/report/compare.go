package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// leastMove is the smallest change that is told, however small the spread: a run of few
// rounds has hardly any.
const leastMove = 0.03

// oursPrefix is what the names of our own contenders begin with. Others move with their
// versions, not with our code.
const oursPrefix = "asyncio"

// move is how a contender's figure differs between two runs.
type move struct {
	work      string
	name      string
	unit      string
	then, now float64
	spread    float64
}

func (m move) change() float64 { return m.now/m.then - 1 }

// Compare tells by how much our figures have moved since a saved run, worse and better,
// and ends with a verdict. What is compared is the ratio to the control, or, between runs
// on the same kind of processor, the figure itself where there is no control. It returns
// how many figures are worse.
func Compare(w io.Writer, saved, now *result.Report) (worse int) {
	var moves []move
	missing := 0
	for _, row := range saved.Rows {
		for _, res := range row.Results {
			if !strings.HasPrefix(res.Name, oursPrefix) {
				continue
			}
			m, found, fair := moveOf(row, res, now, saved.CPU == now.CPU)
			switch {
			case !found:
				missing++
			case fair:
				moves = append(moves, m)
			}
		}
	}
	compared := len(moves)
	moves = slices.DeleteFunc(moves, func(m move) bool { return math.Abs(m.change()) <= max(m.spread, leastMove) })
	slices.SortStableFunc(moves, func(a, b move) int {
		switch {
		case a.change() > b.change():
			return -1
		case a.change() < b.change():
			return 1
		}
		return 0
	})
	for worse < len(moves) && moves[worse].change() > 0 {
		worse++
	}

	fmt.Fprintf(w, "\nCompared with %s of %s\n", valueOr(saved.Commit, "a run"), saved.Time.UTC().Format("2006-01-02 15:04"))
	printMoves(w, "worse", moves[:worse])
	printMoves(w, "better", moves[worse:])
	better := len(moves) - worse
	fmt.Fprintf(w, "%d figures compared: %d worse, %d better, %d within their spread", compared, worse, better, compared-len(moves))
	if missing > 0 {
		fmt.Fprintf(w, "; %d of the saved run were not measured now", missing)
	}
	verdict := "unchanged"
	switch {
	case compared == 0:
		verdict = "nothing to compare"
	case worse > 0 && better > 0:
		verdict = "worse and better"
	case worse > 0:
		verdict = "worse"
	case better > 0:
		verdict = "better"
	}
	fmt.Fprintf(w, "\nverdict: %s\n", verdict)
	return worse
}

// moveOf pairs a saved result with the present one. It is fair if the two figures mean
// the same.
func moveOf(row result.Row, res result.Result, now *result.Report, sameCPU bool) (m move, found, fair bool) {
	metric := row.Kind.Main()
	then, ok := res.Figures[metric]
	at := slices.IndexFunc(now.Rows, func(r result.Row) bool { return r.Work == row.Work && r.Control == row.Control })
	if !ok || at < 0 {
		return m, false, false
	}
	f, ok := now.Rows[at].Figure(res.Name, metric)
	if !ok {
		return m, false, false
	}
	m = move{work: row.String(), name: res.Name}
	if then.Ratio > 0 && f.Ratio > 0 && res.Name != row.Control {
		m.unit, m.then, m.now, m.spread = "to "+row.Control, then.Ratio, f.Ratio, max(then.RatioSpread, f.RatioSpread)
		return m, true, true
	}
	m.unit, m.then, m.now, m.spread = string(metric), then.Median, f.Median, max(then.Spread, f.Spread)
	return m, true, sameCPU && m.then > 0
}

func printMoves(w io.Writer, title string, moves []move) {
	if len(moves) == 0 {
		return
	}
	fmt.Fprintln(w, title)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, m := range moves {
		fmt.Fprintf(tw, "  %s\t%s\t%s -> %s %s\t%+.0f %%\t(spread %.0f %%)\n", m.work, m.name, number(m.then), number(m.now), m.unit, m.change()*100,
			m.spread*100)
	}
	tw.Flush()
}

func valueOr(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
