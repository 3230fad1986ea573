// Trampoline shows a callback that schedules itself again, in three ways, until a timer
// stops the loop. The program is in examples/internal/trampoline.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/trampoline"
)

func main() {
	if err := trampoline.Demo(time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "trampoline:", err)
		os.Exit(1)
	}
}
