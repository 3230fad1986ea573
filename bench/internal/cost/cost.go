// Package cost times operations, for the programs of bench/loops, twins and system.
//
// All programs, also those in C, Python and JavaScript, do the same. An operation is done
// n times, n doubling from a thousand, or from what the work says, until it took as long
// as the command line says; the last run counts. What counts is CPU time of the whole
// process, so that a garbage collector on another thread is paid for, and the neighbours
// on the machine are not.
package cost

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Batch is how many operations are scheduled before the loop gets the turn; every n is a
// multiple of it.
const Batch = 1000

// Work is an operation. Do does it n times and returns when all are done.
type Work struct {
	Name string
	Do   func(n int)
	From int // the first n; 0: Batch
}

// Main times the works for SECONDS each, the only argument of the command line, and
// prints nanoseconds per operation as one line of JSON.
func Main(works ...Work) {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatalf("usage: %s SECONDS", os.Args[0])
	}
	seconds, err := strconv.ParseFloat(os.Args[1], 64)
	if err != nil || seconds <= 0 {
		log.Fatalf("%s: %q is not a number of seconds", os.Args[0], os.Args[1])
	}
	costs := map[string]float64{}
	for _, w := range works {
		costs[w.Name] = nsPerOperation(w, time.Duration(seconds*float64(time.Second)))
	}
	line, err := json.Marshal(costs)
	Check(err)
	fmt.Println(string(line))
}

func nsPerOperation(w Work, atLeast time.Duration) float64 {
	for n := cmp.Or(w.From, Batch); ; n *= 2 {
		begin := cpuTime()
		w.Do(n)
		if took := cpuTime() - begin; took >= atLeast {
			return float64(took) / float64(n)
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	Check(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Check ends the program with err, if there is one.
func Check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// File makes a file of size bytes for a work to read.
func File(size int) string {
	f, err := os.CreateTemp("", "system")
	Check(err)
	Check(f.Truncate(int64(size)))
	Check(f.Close())
	return f.Name()
}
