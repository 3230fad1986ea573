//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// Whatever number of descriptors is left, what needs one works or says that there is
// none, and nothing is left open.
func TestFewDescriptors(t *testing.T) {
	served := false
	for free := range 24 {
		for _, when := range []string{"first", "second"} {
			out := inChild(t, "few", strconv.Itoa(free), when)
			served = served || out == "served\n"
			if free == 0 {
				require.Equal(t, uv.EMFILE.Name()+"\n", out)
			}
		}
	}
	require.True(t, served, "with as many descriptors as a loop and a connection take")
}

// leaveFree takes all descriptors up to a limit but n, and returns what undoes that.
func leaveFree(n int) (undo func(), err error) {
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		return nil, err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 128, Max: old.Max}); err != nil {
		return nil, err
	}
	var hogs []int
	for { // without package os, which would make the runtime's poller
		fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
		if err != nil {
			break
		}
		hogs = append(hogs, fd)
	}
	for ; n > 0; n-- {
		syscall.Close(hogs[len(hogs)-n])
	}
	return func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) }, nil
}

// childFewDescriptors makes the first or the second loop of a process with so many
// descriptors left, and a server and a connection on it.
func childFewDescriptors(args []string) error {
	free, _ := strconv.Atoi(args[0])
	if args[1] == "second" {
		l, err := uv.NewLoop()
		if err != nil {
			return err
		}
		defer l.Close()
	}
	undo, err := leaveFree(free)
	if err != nil {
		return err
	}
	before := openDescriptors()
	served, err := serveOnce()
	undo()
	var failed *uv.Error
	switch after := openDescriptors(); {
	case after > before+8: // what libuv, the watch of children and the poller of the runtime keep for good
		return fmt.Errorf("%d descriptors open before, %d after: %v", before, after, err)
	case errors.As(err, &failed) && (failed.Errno == uv.EMFILE || failed.Errno == uv.ENFILE):
		fmt.Println(failed.Errno.Name())
	case err != nil:
		return err
	case served:
		fmt.Println("served")
	}
	return nil
}

// openDescriptors counts without needing a descriptor itself.
func openDescriptors() (n int) {
	for fd := range 128 {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); errno == 0 {
			n++
		}
	}
	return n
}

// serveOnce makes a loop, a server and a connection to it.
func serveOnce() (served bool, err error) {
	l, err := uv.NewLoop()
	if err != nil {
		return false, err
	}
	defer closeAll(l)
	if err := connectOn(l); err != nil {
		return false, err
	}
	return true, nil
}

// closeAll closes a loop and its handles.
func closeAll(l *uv.Loop) {
	for err := l.Close(); err == uv.ErrBusy; err = l.Close() {
		for h := range l.Handles() {
			h.Close()
		}
		l.Poll(0)
	}
}

func closeHandles(l *uv.Loop) {
	for h := range l.Handles() {
		h.Close()
	}
	for range 3 {
		l.Poll(0)
	}
}

// connectOn makes a server and a connection to it, and closes all handles of the loop.
func connectOn(l *uv.Loop) (err error) {
	defer closeHandles(l)
	ln, err := l.NewTCP()
	if err != nil {
		return err
	}
	if err := ln.Bind(netip.MustParseAddrPort("127.0.0.1:0"), 0); err != nil {
		return err
	}
	served := false
	failed := func(e error) {
		if e != nil {
			err = e
		}
	}
	if err := ln.Listen(1, func(c *uv.TCP, e error) { served = e == nil; failed(e) }); err != nil {
		return err
	}
	addr, err := ln.LocalAddr()
	if err != nil {
		return err
	}
	c, err := l.NewTCP()
	if err != nil {
		return err
	}
	if err := c.Connect(addr, failed); err != nil {
		return err
	}
	for end := time.Now().Add(patience); !served && err == nil; {
		if l.Poll(time.Millisecond); time.Now().After(end) {
			return errors.New("neither a connection nor an error")
		}
	}
	return err
}

// A program that has closed its standard input gets its number for something else, which
// libuv does not close or aborts on closing.
func TestWithoutStdio(t *testing.T) {
	for _, closed := range []string{"before the loop", "after it"} {
		require.Equal(t, "served\n", inChild(t, "stdio", closed))
	}
}

func childWithoutStdio(args []string) error {
	if args[0] == "before the loop" {
		syscall.Close(0)
	}
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	defer closeAll(l)
	if args[0] == "after it" {
		syscall.Close(0)
	}
	if err := connectOn(l); err != nil { // opens what the runtime's poller keeps for good
		return err
	}
	before := openDescriptors()
	for range 10 {
		if err := connectOn(l); err != nil {
			return err
		}
		if err := bindTwice(l); err != nil {
			return err
		}
	}
	if after := openDescriptors(); after != before {
		return fmt.Errorf("%d descriptors open before, %d after", before, after)
	}
	if served, err := serveOnce(); !served {
		return err
	}
	fmt.Println("served")
	return nil
}

// bindTwice binds a Unix socket where there is one.
func bindTwice(l *uv.Loop) error {
	dir, err := os.MkdirTemp("", "uv")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer closeHandles(l)
	for i, want := range []error{nil, syscall.EADDRINUSE} {
		p, err := l.NewPipe()
		if err != nil {
			return err
		}
		if err := p.Bind(dir + "/socket"); !errors.Is(err, want) {
			return fmt.Errorf("bind %d: %v", i, err)
		}
	}
	return nil
}
