// Timeouts shows how to limit an await, a block of code, and how to keep a task out of
// the reach of both. The program is in examples/internal/timeouts.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/timeouts"
)

func main() {
	if err := timeouts.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "timeouts:", err)
		os.Exit(1)
	}
}
