// Taskgroup shows TaskGroup: a crawler that follows links, a few at a time, and ends as
// one when a page fails. The program is in examples/internal/taskgroup.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/taskgroup"
)

func main() {
	if err := taskgroup.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "taskgroup:", err)
		os.Exit(1)
	}
}
