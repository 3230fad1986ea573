// Abc shows Gather: three tasks sleep at the same time, and the one that sleeps least
// finishes first. The program is in examples/internal/abc.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/abc"
)

func main() {
	if err := abc.Demo(time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "abc:", err)
		os.Exit(1)
	}
}
