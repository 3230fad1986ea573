// Package serve holds what the Go servers have in common: their arguments, the answer to
// SIGUSR1, goroutines that compute beside the server, and how a connection's buffer
// grows.
package serve

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
)

// bufferBytesMin is what a connection begins with, and keeps while its messages are
// smaller, as io.ReadAll begins; BufferBytesMax is what the C server reads at once.
const (
	bufferBytesMin = 512
	BufferBytesMax = 64 << 10
)

// busyVariable is the environment variable that says how many goroutines compute beside
// the server.
const busyVariable = "BUSY"

// Place is where to listen: the command line's first argument, a port on the loopback
// interface or, with a slash, the path of a Unix socket. It ends the program when the
// arguments are wrong.
//
// From then on each SIGUSR1 gives free memory back to the system and says "freed" on
// stdout, so that memory can be measured without garbage, and as many goroutines compute
// as the environment's BUSY says.
func Place() (network, address string) {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatalf("usage: %s PLACE ...", os.Args[0])
	}
	if busy := os.Getenv(busyVariable); busy != "" {
		n, err := strconv.Atoi(busy)
		if err != nil || n < 0 {
			log.Fatalf("%s=%s is not a number of goroutines", busyVariable, busy)
		}
		for range n {
			go compute()
		}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		for range signals {
			debug.FreeOSMemory()
			fmt.Println("freed")
		}
	}()
	place := os.Args[1]
	if strings.Contains(place, "/") {
		return "unix", place
	}
	return "tcp", "127.0.0.1:" + place
}

// compute needs a processor and nothing else, for ever: it calls nothing, allocates
// nothing, and stops for the scheduler only when it is preempted.
func compute() {
	for x := uint64(1); x != 0; { // xorshift never reaches 0
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
}

// NewBuffer is the first buffer of a connection.
func NewBuffer() []byte { return make([]byte, bufferBytesMin) }

// Grow returns the buffer for the next read, after one that brought n bytes: twice as
// large when buf was filled.
func Grow(buf []byte, n int) []byte {
	if n < len(buf) || len(buf) == BufferBytesMax {
		return buf
	}
	return make([]byte, 2*len(buf))
}
