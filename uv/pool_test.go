//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/cbridge"
	"github.com/seed-a026a017/asyncio/uv"
)

// childLiterals looks up what needs no name, and then sets the size of the pool, which
// must not be in use.
func childLiterals() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	defer l.Close()
	told := 0
	for _, node := range []string{"127.0.0.1", "::1", "::1%lo", "fe80::1%lo", ""} {
		if _, err := l.GetAddrInfo(node, "80", uv.AddrInfoHints{}, func(list []uv.AddrInfo, err error) {
			if err == nil && len(list) > 0 {
				told++
			}
		}); err != nil {
			return err
		}
	}
	if _, err := l.GetNameInfo(loopback, niNumericHost|niNumericServ, func(_, _ string, err error) {
		if err == nil {
			told++
		}
	}); err != nil {
		return err
	}
	l.Run(uv.RunDefault)
	if err := uv.SetThreadPoolSize(2); err != nil || told != 6 {
		return fmt.Errorf("%d told, %v", told, err)
	}
	fmt.Println("pool not used")
	return nil
}

// childPoolSize starts the pool, with the size given if there is one, and prints its size
// and its threads: those that have all signals blocked.
func childPoolSize(args []string) error {
	if !cbridge.CountAllocations() {
		return errors.New("cannot count allocations")
	}
	before := uv.ThreadPoolSize()
	if len(args) > 0 {
		n, _ := strconv.Atoi(args[0])
		if err := uv.SetThreadPoolSize(n); err != nil {
			return err
		}
		if n != uv.ThreadPoolSize() {
			return fmt.Errorf("%d threads", uv.ThreadPoolSize())
		}
	} else if n := uv.ThreadPoolSize(); n != before {
		return fmt.Errorf("%d threads, then %d", before, n)
	}
	variable := os.Getenv("UV_THREADPOOL_SIZE")
	for i := range 2 { // two loops share the pool
		if err := lookUpLocalhost(); err != nil {
			return err
		}
		if err := uv.SetThreadPoolSize(3); !errors.Is(err, uv.EBUSY) {
			return fmt.Errorf("size set in round %d: %v", i, err)
		}
	}
	if n := cbridge.LiveAllocations(); n != 0 {
		return fmt.Errorf("%d allocations are left", n)
	}
	if os.Getenv("UV_THREADPOOL_SIZE") != variable {
		return errors.New("the environment is another one")
	}
	blocked := blockedThreads()
	for end := time.Now().Add(patience); blocked != uv.ThreadPoolSize() && time.Now().Before(end); {
		blocked = blockedThreads() // a thread that Go makes blocks all signals at its beginning
	}
	fmt.Println(uv.ThreadPoolSize(), blocked)
	return nil
}

// childFewThreads needs the pool while the system has no threads for it: their stacks are
// larger than the memory.
func childFewThreads() error {
	if major, minor, _ := uv.Version(); major == 1 && minor >= 45 {
		fmt.Println("EAGAIN") // there the size of a stack is fixed
		return nil
	}
	if !cbridge.CountAllocations() {
		return errors.New("cannot count allocations")
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &was); err != nil {
		return err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_STACK, &syscall.Rlimit{Cur: 1 << 46, Max: was.Max}); err != nil {
		return err
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	for range 3 {
		if _, err := l.GetAddrInfo("localhost", "80", streamHints, nil); !errors.Is(err, uv.EAGAIN) {
			return fmt.Errorf("without threads: %v", err)
		}
		if _, err := l.GetNameInfo(loopback, 0, nil); !errors.Is(err, uv.EAGAIN) {
			return fmt.Errorf("without threads: %v", err)
		}
	}
	if err := uv.SetThreadPoolSize(2); err != nil {
		return fmt.Errorf("the pool is not started: %w", err)
	}
	if err := errors.Join(syscall.Setrlimit(syscall.RLIMIT_STACK, &was), lookUpLocalhost(), l.Close()); err != nil {
		return err
	}
	if n := cbridge.LiveAllocations(); n != 0 {
		return fmt.Errorf("%d allocations are left", n)
	}
	fmt.Println("EAGAIN")
	return nil
}

func lookUpLocalhost() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	var failure error
	if _, err := l.GetAddrInfo("localhost", "80", streamHints, func(_ []uv.AddrInfo, err error) { failure = err }); err != nil {
		return errors.Join(err, l.Close())
	}
	l.Run(uv.RunDefault)
	return errors.Join(failure, l.Close())
}

// blockedThreads counts the threads of this process that have nearly all signals
// blocked: the C library keeps two for itself, the kernel two.
func blockedThreads() (blocked int) {
	tasks, _ := filepath.Glob("/proc/self/task/*/status")
	for _, path := range tasks {
		text, _ := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			mask, ok := strings.CutPrefix(line, "SigBlk:")
			if !ok {
				continue
			}
			if m, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64); err == nil && m|0x3<<31|1<<8|1<<18 == 1<<64-1 {
				blocked++
			}
		}
	}
	return blocked
}

func TestThreadPool(t *testing.T) {
	t.Run("its size", func(t *testing.T) {
		for _, c := range []struct{ env, set, want string }{
			{"", "", "4 4\n"},
			{"", "1", "1 1\n"},
			{"", "9", "9 9\n"},
			{"2", "", "2 2\n"},
			{"2", "5", "5 5\n"},
			{"6", "", "6 6\n"},
			{"0", "", "1 1\n"},
			{"many", "", "1 1\n"},
			{" +3x", "", "3 3\n"},
			{"5000", "", "1024 1024\n"},
			{"-1", "2", "2 2\n"},
		} {
			t.Run(fmt.Sprintf("env %q, set %q", c.env, c.set), func(t *testing.T) {
				if _, err := os.Stat("/proc/self/task"); err != nil {
					t.Skip("this system does not show its threads")
				}
				if slow && strings.HasPrefix(c.want, "1024") {
					t.Skip("many threads")
				}
				t.Setenv("UV_THREADPOOL_SIZE", c.env)
				if c.env == "" {
					require.NoError(t, os.Unsetenv("UV_THREADPOOL_SIZE"))
				}
				args := []string{"pool size"}
				if c.set != "" {
					args = append(args, c.set)
				}
				require.Equal(t, c.want, inChild(t, args...))
			})
		}
	})
	t.Run("too few threads", func(t *testing.T) { require.Equal(t, "EAGAIN\n", inChild(t, "threads")) })
	t.Run("sizes that are none", func(t *testing.T) {
		for _, n := range []int{-1, 0, 1025, 1 << 40} {
			require.ErrorIs(t, uv.SetThreadPoolSize(n), uv.EINVAL)
		}
	})
}
