package testkit

import (
	"fmt"
	"os"
	"strconv"

	"github.com/seed-a026a017/asyncio"
)

// The environment of a child process: the program, and the driver as a number.
const (
	childProgram = "ASYNCIO_TEST_PROGRAM"
	childDriver  = "ASYNCIO_TEST_DRIVER"
)

// RunChild ends the process with one of the programs, if it was started for that with
// ChildEnv. It is for the init function of a test binary that starts itself again: the
// program runs before the tests do, in the goroutine in which main.main would run.
func RunChild(programs map[string]func(opts ...asyncio.Option)) {
	program := programs[os.Getenv(childProgram)]
	if program == nil {
		return
	}
	driver, err := strconv.Atoi(os.Getenv(childDriver))
	if err != nil {
		panic(err)
	}
	program(asyncio.WithDriver(asyncio.Driver(driver)))
	os.Exit(0)
}

// ChildEnv is the environment of a process that is to run one of the programs.
func ChildEnv(program string, driver asyncio.Driver) []string {
	return append(os.Environ(), childProgram+"="+program, childDriver+"="+strconv.Itoa(int(driver)))
}

// Say writes a line that the parent waits for.
func Say(format string, args ...any) { fmt.Printf(format+"\n", args...) }
