package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/seed-a026a017/asyncio/bench/internal/result"
)

// meter measures contenders and gathers the results.
type meter struct {
	settings
	client   string    // its program
	folder   string    // of the programs, the file of downloads, and sockets
	out      io.Writer // of tables
	report   *result.Report
	progress *progress
}

// job is something that contenders do in turn, round after round.
type job struct {
	name       string
	control    string // of the rows. If it is the first contender, it is measured once more at the end of every round
	contenders []contender
	rounds     int
	seconds    float64 // what one measurement takes, about
	measure    func(c contender) ([]measurement, error)
}

// measurement is what came of one contender's turn, for one row.
type measurement struct {
	work   result.Work
	name   string
	values map[result.Metric]float64
}

// steps is how many measurements a job consists of.
func (j job) steps() int { return j.rounds * len(j.turns()) }

// turns are the contenders of one round, in order.
func (j job) turns() []contender {
	turns := slices.Clone(j.contenders)
	if len(turns) > 0 && turns[0].name == j.control {
		turns = append(turns, turns[0])
	}
	return turns
}

// run does a job, adds its rows to the report, and prints them. Who fails takes no
// further part in it, unless it is the control, without which nothing can be compared.
func (m *meter) run(j job) {
	first := len(m.report.Rows)
	j.contenders = slices.Clone(j.contenders) // other jobs have them, too
	for round := 1; round <= j.rounds; round++ {
		for _, c := range j.turns() {
			m.progress.step(fmt.Sprintf("%s, round %d of %d: %s", j.name, round, j.rounds, c.name), j.seconds)
			list, err := j.measure(c)
			if err != nil {
				m.report.Failed = append(m.report.Failed, result.Failed{Name: c.name, Work: j.name, Error: err.Error()})
				j.contenders = slices.DeleteFunc(j.contenders, func(o contender) bool { return o.name == c.name && o.name != j.control })
				continue
			}
			for _, one := range list {
				m.row(first, one.work, j.control).Add(one.name, round, one.values)
			}
		}
	}
	m.progress.clear()
	for i := range m.report.Rows[first:] {
		row := &m.report.Rows[first+i]
		row.Summarise()
	}
	printRows(m.out, m.report.Rows[first:])
}

// row finds the row of a work among those that the present job, whose rows begin at
// first, has made, or makes it.
func (m *meter) row(first int, w result.Work, control string) *result.Row {
	at := slices.IndexFunc(m.report.Rows[first:], func(r result.Row) bool { return r.Work == w })
	if at < 0 {
		m.report.Rows = append(m.report.Rows, result.Row{Work: w, Control: control})
		return &m.report.Rows[len(m.report.Rows)-1]
	}
	return &m.report.Rows[first+at]
}
