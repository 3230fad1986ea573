package faults_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio"
	"github.com/seed-a026a017/asyncio/asynciotest"
	"github.com/seed-a026a017/asyncio/internal/testkit"
)

func init() {
	if calls := os.Getenv(launchVariable); calls != "" {
		launch(calls)
	}
	programs := make(map[string]func(opts ...asyncio.Option))
	for _, s := range scenarios {
		programs[s.name] = func(opts ...asyncio.Option) { rounds(s, opts[0]) }
	}
	testkit.RunChild(programs)
}

const (
	roundsMax      = 20
	roundsMaxShort = 8
	cleanLine      = "clean"
)

// rounds is main of the process: it runs the scenario with a fault, and then without one,
// until there was a round in which no call failed. The short form has the first, the
// second, the fourth and the eighth call fail.
func rounds(s scenario, driver asyncio.Option) {
	debug.SetTraceback("all")
	if err := s.run(driver); err != nil { // opens what a process keeps
		fail("without a fault: %v", err)
	}
	before := held()
	most := roundsMaxShort
	if long {
		most = roundsMax
	}
	for n, failed := 1, true; failed && n <= most; n++ {
		mark(roundBegins, n)
		err := guarded(s, driver)
		failed = mark(roundEnds, n)
		if errors.Is(err, errHangs) || errors.Is(err, errWrong) {
			fail("round %d: %v", n, err)
		}
		if p := new(asyncio.PanicError); errors.As(err, &p) {
			fail("round %d: %v\n%s", n, err, p.Stack)
		}
		if left := before.left(); left != nil {
			fail("round %d, after %v: %v", n, err, left)
		}
		if err := s.run(driver); err != nil {
			fail("after round %d: %v", n, err)
		}
		if !long {
			n += n - 1
		}
	}
	fmt.Println(cleanLine)
}

// guarded is the scenario, whose panic is an error too.
func guarded(s scenario, driver asyncio.Option) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &asyncio.PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return s.run(driver)
}

func fail(format string, args ...any) {
	fmt.Printf(format+"\n", args...)
	os.Exit(1)
}

func TestFaults(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			for _, k := range kinds {
				for _, errno := range k.tried(s) {
					for _, driver := range asynciotest.Drivers() {
						if (k.notPureGo || s.name == libuv) && driver == asyncio.PureGo {
							continue
						}
						t.Run(fmt.Sprintf("%s %s/%v", k.name, name(errno), driver), func(t *testing.T) { inject(t, s, k, errno, driver) })
					}
				}
			}
		})
	}
}

// tried is the errors that a scenario is given.
func (k kind) tried(s scenario) []syscall.Errno {
	if long {
		return k.errnos
	}
	return k.errnos[:k.short[s.name]]
}

// inject runs the rounds of one kind of fault.
func inject(t *testing.T, s scenario, k kind, errno syscall.Errno, driver asyncio.Driver) {
	exe, err := os.Executable()
	require.NoError(t, err)
	out := new(bytes.Buffer)
	cmd := exec.Command(exe)
	cmd.Env = testkit.ChildEnv(s.name, driver)
	cmd.Stdout, cmd.Stderr = out, out
	in := &injector{kind: k, errno: errno}
	in.start(t, cmd)
	watchdog := time.AfterFunc(watchdogTime(), func() {
		cmd.Process.Signal(syscall.SIGQUIT) // prints the stacks
		time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
	})
	err = cmd.Wait()
	watchdog.Stop()
	in.stop()
	if err != nil || !strings.Contains(out.String(), cleanLine) {
		t.Fatalf("%v, %d rounds, the last to fail was %s\n%s", err, in.rounds, in.last, out)
	}
}

func watchdogTime() time.Duration {
	if long {
		return 4 * time.Minute
	}
	return time.Minute
}

// name is the name of an errno.
func name(errno syscall.Errno) string { return strings.ReplaceAll(errno.Error(), " ", "_") }
