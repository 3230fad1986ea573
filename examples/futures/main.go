// Futures shows results that are made elsewhere: by a callback, by another task, by
// another goroutine. The program is in examples/internal/futures.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/futures"
)

func main() {
	if err := futures.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "futures:", err)
		os.Exit(1)
	}
}
