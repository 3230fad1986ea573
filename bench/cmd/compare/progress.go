package main

import (
	"fmt"
	"os"
	"time"
)

// progress is the line on stderr that tells what runs and how long it will take. On a terminal it is rewritten in place,
// elsewhere it is printed now and then.
type progress struct {
	terminal bool
	begin    time.Time
	printed  time.Time
	done     int
	total    int
}

// printInterval is how often a log shows that the measurement goes on.
const printInterval = 20 * time.Second

func newProgress() *progress {
	info, err := os.Stderr.Stat()
	return &progress{terminal: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// expect begins a part of n steps.
func (p *progress) expect(n int) {
	p.begin, p.done, p.total = time.Now(), 0, n
}

// step announces what is done next.
func (p *progress) step(what string) {
	left := ""
	if p.done > 0 {
		rest := time.Since(p.begin) / time.Duration(p.done) * time.Duration(p.total-p.done)
		left = fmt.Sprintf(", %v left", rest.Round(time.Second))
	}
	p.done++
	switch {
	case p.terminal:
		fmt.Fprintf(os.Stderr, "\r\x1b[K[%d/%d%s] %s", p.done, p.total, left, what)
	case time.Since(p.printed) > printInterval:
		fmt.Fprintf(os.Stderr, "[%d/%d%s] %s\n", p.done, p.total, left, what)
		p.printed = time.Now()
	}
}

// clear makes room for a table.
func (p *progress) clear() {
	if p.terminal {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}
