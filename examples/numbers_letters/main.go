// Numbers_letters shows two tasks that take turns, gathered by hand with CreateTask and
// RunUntilComplete. The program is in examples/internal/numbersletters.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/numbersletters"
)

func main() {
	if err := numbersletters.Demo(time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "numbers_letters:", err)
		os.Exit(1)
	}
}
