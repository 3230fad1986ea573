// Run_blocking shows what to do with functions that block: ToThread, RunInExecutor, and a
// heartbeat that tells how the loop is. The program is in examples/internal/runblocking.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/runblocking"
)

func main() {
	if err := runblocking.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "run_blocking:", err)
		os.Exit(1)
	}
}
