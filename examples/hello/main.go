// Hello is the smallest program: asyncio.Run gives a coroutine a loop, and Sleep suspends
// it. The program is in examples/internal/hello.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/seed-a026a017/asyncio/examples/internal/hello"
)

func main() {
	if err := hello.Demo(time.Second); err != nil {
		fmt.Fprintln(os.Stderr, "hello:", err)
		os.Exit(1)
	}
}
