//go:build cgo

package uv_test

// Children and the rest of the process: what SIGCHLD and the other signals do, and how
// children of uv, of os/exec and the scheduler of Go live side by side.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// badActions are the signals that have a handler without SA_ONSTACK.
func badActions() (bad []string) {
	const onStack = 0x08000000
	for sig := 1; sig <= 64; sig++ {
		var action struct {
			handler, flags, restorer uintptr
			mask                     uint64
		}
		_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), 0, uintptr(unsafe.Pointer(&action)), 8, 0, 0)
		if errno != 0 || action.handler > 1 && action.flags&onStack == 0 { // 0 is the default, 1 ignores
			bad = append(bad, fmt.Sprintf("%d: %#x %#x %v", sig, action.handler, action.flags, errno))
		}
	}
	return bad
}

// zombies are the children of this process that have ended and were not waited for.
func zombies() (pids []string) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		after := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if after[0] == "Z" && after[1] == fmt.Sprint(os.Getpid()) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

// noZombies waits until there are none.
func noZombies(t testing.TB) {
	t.Helper()
	require.Eventually(t, func() bool { return len(zombies()) == 0 }, patience, 5*time.Millisecond, "zombies: %v", zombies())
}

func TestChildren(t *testing.T) {
	t.Run("UV-113", func(t *testing.T) {
		l := newLoop(t)
		for range 3 {
			require.Equal(t, uv.ExitStatus{}, exit(t, l, uv.SpawnOptions{File: "true"}))
			require.Empty(t, badActions())
		}
		s := newSignal(t, l)
		require.NoError(t, s.Start(syscall.SIGCHLD, func(syscall.Signal) {}))
		require.NoError(t, newSignal(t, l).Start(syscall.SIGUSR1, func(syscall.Signal) {}))
		require.Empty(t, badActions())
		s.Close()
		require.NoError(t, l.Poll(0))
		require.Empty(t, badActions())
	})

	t.Run("SIGCHLD is heard by all", func(t *testing.T) {
		l := newLoop(t)
		wait := notified(t, syscall.SIGCHLD)
		told := 0
		require.NoError(t, newSignal(t, l).Start(syscall.SIGCHLD, func(syscall.Signal) { told++ }))
		require.Equal(t, uv.ExitStatus{Code: 4}, exit(t, l, shell("exit 4")))
		wait()
		until(t, l, "the signal", func() bool { return told > 0 })
		require.NoError(t, exec.Command("true").Run())
		wait()
	})

	t.Run("default handling, and an empty mask", func(t *testing.T) {
		require.Equal(t, "SigBlk: 0000000000000000 SigIgn: 0000000000000000\n", inChild(t, "children signals"))
	})

	t.Run("while SIGCHLD is ignored", func(t *testing.T) {
		require.Equal(t, "refused, and spawned\n", inChild(t, "children ignored"))
	})
}

// statusOfChild prints what the status of a child says of signals.
func statusOfChild(l *uv.Loop) error {
	opt := shell("exec grep -E 'SigBlk|SigIgn' /proc/self/status | tr '\\t' ' ' | paste -s -d ' '")
	opt.Stdio = inherit(-1, 1, 2)
	if _, err := l.Spawn(opt, nil); err != nil {
		return err
	}
	_, err := l.Run(uv.RunDefault)
	return err
}

// childIgnores ignores signals that its child must not ignore.
func childIgnores() error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGUSR1, syscall.Signal(40), syscall.Signal(64))
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	return statusOfChild(l)
}

// childIgnoresChildren ignores SIGCHLD before its first loop, hears of it again, ignores
// it again and so on.
func childIgnoresChildren() error {
	for range 3 {
		signal.Ignore(syscall.SIGCHLD)
		l, err := uv.NewLoop()
		if err != nil {
			return err
		}
		_, err = l.Spawn(uv.SpawnOptions{File: "true"}, nil)
		if !errors.Is(err, uv.ENOTSUP) || !strings.Contains(err.Error(), "SIGCHLD is ignored") {
			return fmt.Errorf("SIGCHLD is ignored: %w", err)
		}
		heard := make(chan os.Signal, 1)
		signal.Notify(heard, syscall.SIGCHLD)
		var status *uv.ExitStatus
		if _, err := l.Spawn(shell("exit 5"), func(s uv.ExitStatus) { status = &s }); err != nil {
			return err
		}
		if _, err := l.Run(uv.RunDefault); err != nil {
			return err
		}
		<-heard
		if status == nil || status.Code != 5 {
			return fmt.Errorf("it has ended with %v", status)
		}
		signal.Stop(heard)
		if bad := badActions(); len(bad) > 0 {
			return fmt.Errorf("without SA_ONSTACK: %v", bad)
		}
	}
	fmt.Println("refused, and spawned")
	return nil
}
