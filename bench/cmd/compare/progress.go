package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// progress is the line that tells what runs, how much is done, and how long the rest will
// take. On a terminal it is rewritten in place, elsewhere it is printed now and then.
//
// Every step comes with a guess of its length. The rest takes as much longer than its
// guesses as what is done did.
type progress struct {
	out      io.Writer
	terminal bool
	begin    time.Time
	printed  time.Time
	done     int // steps that have begun
	total    int
	guessed  float64 // seconds of the steps that are over
	current  float64 // seconds of the step that runs
	all      float64 // seconds of all steps
}

// printInterval is how often a log shows that the measurement goes on.
const printInterval = 20 * time.Second

func newProgress(out *os.File) *progress {
	info, err := out.Stat()
	return &progress{out: out, terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// expect begins the work that jobs are.
func (p *progress) expect(jobs []job) {
	*p = progress{out: p.out, terminal: p.terminal, begin: time.Now()}
	for _, j := range jobs {
		p.total += j.steps()
		p.all += float64(j.steps()) * j.seconds
	}
}

// left is how long the rest will take, the step that runs included.
func (p *progress) left() time.Duration {
	slower := 1.0
	if p.guessed > 0 {
		slower = time.Since(p.begin).Seconds() / p.guessed
	}
	return time.Duration((p.all - p.guessed) * slower * float64(time.Second)).Round(time.Second)
}

// step announces what is done next, for about some seconds.
func (p *progress) step(what string, seconds float64) {
	p.guessed += p.current
	p.current = seconds
	p.done++
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[K[%d/%d, %v left] %s", p.done, p.total, p.left(), what)
	case time.Since(p.printed) > printInterval:
		fmt.Fprintf(p.out, "[%d/%d, %v left] %s\n", p.done, p.total, p.left(), what)
		p.printed = time.Now()
	}
}

// clear makes room for a table.
func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
