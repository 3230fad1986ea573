//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// Some tests run in a process of their own: those that change its limits, and those that
// might end it.

const childArg = "uv-child"

var children = map[string]func(args []string) error{
	"emfile":    func([]string) error { return childOutOfDescriptors() },
	"few":       childFewDescriptors,
	"stdio":     childWithoutStdio,
	"leak":      func([]string) error { return childLeak() },
	"sequences": func([]string) error { return childSequences() },
	"literals":  func([]string) error { return childLiterals() },
	"pool size": childPoolSize,
	"threads":   func([]string) error { return childFewThreads() },
	"memory":    childMemory,
	"stuck":     childStuck,
	"interrupt": func([]string) error { return childInterrupt() },
	"places":    func([]string) error { return childPlaces() },
	"priority":  func([]string) error { return childPriority() },
	"limit":     func([]string) error { return childLimit() },
	"uid":       func([]string) error { return childUID() },

	"file stdio":     childFilesWithoutStdio,
	"file limit":     func([]string) error { return childFileLimit() },
	"forgotten read": func([]string) error { return childForgottenRead() },

	"ipc serve":        func([]string) error { return childIPCServe() },
	"ipc emfile":       func([]string) error { return childIPCOutOfDescriptors() },
	"tty exit":         func([]string) error { return childTTYExit() },
	"tty signal":       childTTYSignal,
	"tty size":         func([]string) error { return childTTYSize() },
	"children ignored": func([]string) error { return childIgnoresChildren() },
	"children signals": func([]string) error { return childIgnores() },
	"children stdio":   func([]string) error { return childSpawnStdio() },
	"children swapped": func([]string) error { return childSwap() },
	"accept on 3":      func([]string) error { return childAcceptOn3() },
	"read 0":           func([]string) error { return childReads0() },
	"fs event stdio":   func([]string) error { return childFSEventStdio() },

	"udp stdin":  func([]string) error { return childUDPStdin() },
	"udp emfile": func([]string) error { return childUDPOutOfDescriptors() },
}

// child is main in such a process.
func child(args []string) int {
	if err := children[args[0]](args[1:]); err != nil {
		fmt.Println("child:", err)
		return 1
	}
	return 0
}

// inChild runs a part of this program in a process of its own and returns what it has
// printed.
func inChild(t testing.TB, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, append([]string{childArg}, args...)...)
	cmd.Env = append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0") // a child that leaks does so on purpose
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func openFile(t testing.TB) uintptr {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f.Fd()
}

// childOutOfDescriptors lets a listener run into RLIMIT_NOFILE and out of it again.
func childOutOfDescriptors() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	ln, err := l.NewTCP()
	if err != nil {
		return err
	}
	if err := ln.Bind(loopback, 0); err != nil {
		return err
	}
	accepted, failures := 0, []error{}
	if err := ln.Listen(16, func(c *uv.TCP, err error) {
		if err != nil {
			failures = append(failures, err)
			return
		}
		accepted++
	}); err != nil {
		return err
	}
	addr, err := ln.LocalAddr()
	if err != nil {
		return err
	}
	peer, err := net.Dial("tcp", addr.String()) // connected by the kernel, not accepted yet
	if err != nil {
		return err
	}
	defer peer.Close()
	var hogs []*os.File
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hogs = append(hogs, f)
	}
	for end := time.Now().Add(patience); len(failures) == 0 && time.Now().Before(end); {
		l.Poll(time.Millisecond)
	}
	if len(failures) == 0 || !errors.Is(failures[0], syscall.EMFILE) || accepted != 0 {
		return fmt.Errorf("accepted %d, failures %v", accepted, failures)
	}
	for _, f := range hogs {
		f.Close()
	}
	for end := time.Now().Add(patience); accepted == 0; {
		if l.Poll(time.Until(end)); time.Now().After(end) {
			return fmt.Errorf("not served after the descriptors were closed; failures %v", failures)
		}
	}
	if len(failures) > 5 {
		return fmt.Errorf("%d failures: accepting was not put off", len(failures))
	}
	fmt.Println("served after", uv.EMFILE.Name())
	return nil
}

// childLeak drops a loop with handles, one of which is closed.
func childLeak() error {
	leaks := make(chan uv.Leak, 10)
	dropLoop(leaks)
	runtime.GC()
	for _, want := range []string{"loop", "tcp", "timer"} {
		select {
		case leak := <-leaks:
			if leak.What != want || !strings.Contains(leak.Stack, "dropLoop") || !strings.Contains(leak.Stack, "child_test.go:") {
				return fmt.Errorf("%s in place of %s", leak, want)
			}
		case <-time.After(patience):
			return fmt.Errorf("no report of the %s", want)
		}
	}
	if len(leaks) > 0 {
		return fmt.Errorf("one too many: %s", <-leaks)
	}
	fmt.Println("reported")
	return nil
}

func dropLoop(leaks chan uv.Leak) {
	l, err := uv.NewLoop(uv.WithLeakReport(func(leak uv.Leak) { leaks <- leak }))
	if err != nil {
		panic(err)
	}
	l.NewTCP()
	closed, err := l.NewTimer()
	if err != nil {
		panic(err)
	}
	l.NewTimer()
	closed.Close()
	l.Poll(0)
}
