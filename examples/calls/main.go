// Calls shows the loop without tasks: callbacks, timers, and the life of a loop from
// NewEventLoop to Close. The program is in examples/internal/calls.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/calls"
)

func main() {
	if err := calls.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}
