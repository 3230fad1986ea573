// Threads shows loops beside other goroutines: two loops at once, and a loop that serves
// the handlers of net/http. The program is in examples/internal/threads.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/threads"
)

func main() {
	if err := threads.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "threads:", err)
		os.Exit(1)
	}
}
