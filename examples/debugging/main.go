// Debugging shows how to find out what a program does: debug mode, errors that nobody has
// looked at, and who awaits whom. The program is in examples/internal/debugging.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/debugging"
)

func main() {
	if err := debugging.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "debugging:", err)
		os.Exit(1)
	}
}
