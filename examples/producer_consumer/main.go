// Producer_consumer shows Queue: several producers and consumers, back-pressure, Join and
// Shutdown. The program is in examples/internal/producerconsumer.
package main

import (
	"fmt"
	"os"

	"github.com/seed-a026a017/asyncio/examples/internal/producerconsumer"
)

func main() {
	if err := producerconsumer.Demo(); err != nil {
		fmt.Fprintln(os.Stderr, "producer_consumer:", err)
		os.Exit(1)
	}
}
