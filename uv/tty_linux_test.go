//go:build cgo

package uv_test

// Terminals: pseudo-terminals in the part of a user.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/terminal"
	"github.com/seed-a026a017/asyncio/uv"
)

func ioctl(t testing.TB, fd int, request uintptr, arg unsafe.Pointer) {
	t.Helper()
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	require.Zero(t, errno)
}

// openTerminal opens a pseudo-terminal: its user's end, and the program's.
func openTerminal(t testing.TB) (user, program int) {
	t.Helper()
	user, program, err := terminal.Open()
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(user) })
	t.Cleanup(func() { syscall.Close(program) })
	return user, program
}

func modeOf(t testing.TB, fd int) syscall.Termios {
	t.Helper()
	m, errno := terminalMode(fd)
	require.Zero(t, errno)
	return m
}

func terminalMode(fd int) (m syscall.Termios, errno syscall.Errno) {
	_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TCGETS, uintptr(unsafe.Pointer(&m)))
	return m, errno
}

func isRaw(t testing.TB, fd int) bool {
	t.Helper()
	return modeOf(t, fd).Lflag&(syscall.ICANON|syscall.ECHO) == 0
}

type winsize struct{ rows, cols, x, y uint16 }

func setSize(t testing.TB, fd int, cols, rows uint16) {
	t.Helper()
	ioctl(t, fd, syscall.TIOCSWINSZ, unsafe.Pointer(&winsize{rows: rows, cols: cols}))
}

func statusFlags(t testing.TB, fd int) uintptr {
	t.Helper()
	flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	require.Zero(t, errno)
	return flags
}

func newTTY(t testing.TB, l *uv.Loop, fd int) *uv.TTY {
	t.Helper()
	tty, err := l.NewTTY(uintptr(fd))
	require.NoError(t, err)
	return tty
}

func write(t testing.TB, fd int, s string) {
	t.Helper()
	_, err := syscall.Write(fd, []byte(s))
	require.NoError(t, err)
}

func readSome(t testing.TB, fd int) string {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := syscall.Read(fd, buf)
	require.NoError(t, err)
	return string(buf[:n])
}

// readTo reads what ends with end: a terminal gives its bytes piece by piece.
func readTo(t testing.TB, fd int, end string) (all string) {
	t.Helper()
	for !strings.HasSuffix(all, end) {
		all += readSome(t, fd)
	}
	return all
}

func TestTTY(t *testing.T) {
	t.Run("lines, an end, and what follows it", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		user, program := openTerminal(t)
		tty := newTTY(t, l, program)
		require.Equal(t, uv.TTYHandle, tty.Type())
		require.Equal(t, "tty", tty.Type().String())
		require.Same(t, tty, tty.Stream.Handle())
		require.True(t, tty.IsReadable() && tty.IsWritable())
		fd, err := tty.Fd()
		require.NoError(t, err)
		require.NotEqual(t, uintptr(program), fd)
		require.Zero(t, statusFlags(t, program)&syscall.O_NONBLOCK)
		var got []byte
		ends := 0
		read := func(b []byte, err error) {
			got = append(got, b...)
			if err != nil {
				require.ErrorIs(t, err, io.EOF)
				ends++
			}
		}
		require.NoError(t, tty.ReadStart(read))
		write(t, user, "hello\n")
		until(t, l, "a line", func() bool { return string(got) == "hello\n" })
		for i := range 3 {
			write(t, user, "\x04")
			until(t, l, "the end", func() bool { return ends == i+1 })
			write(t, user, "more\n")
			require.NoError(t, tty.ReadStart(nil))
			until(t, l, "what follows", func() bool { return strings.Count(string(got), "more\n") == i+1 })
		}
		require.NoError(t, tty.Write([]byte("answer\n"), nil))
		require.NoError(t, l.Poll(0))
		readTo(t, user, "answer\r\n") // behind the echo
		other := newTTY(t, l, program)
		require.NoError(t, other.Write([]byte("2"), nil))
		other.Close()
		require.Equal(t, "2", readTo(t, user, "2"))
	})
	t.Run("bulk", func(t *testing.T) {
		l := newLoop(t)
		user, program := openTerminal(t)
		tty := newTTY(t, l, program)
		require.NoError(t, tty.SetMode(uv.TTYIO))
		data := pattern(300_000)
		done := false
		require.NoError(t, tty.Write(data, func(err error) { require.NoError(t, err); done = true }))
		require.Positive(t, tty.WriteQueueSize())
		var got []byte
		require.NoError(t, syscall.SetNonblock(user, true))
		until(t, l, "all bytes", func() bool {
			buf := make([]byte, 10_000)
			if n, err := syscall.Read(user, buf); err == nil {
				got = append(got, buf[:n]...)
			}
			return done && len(got) == len(data)
		})
		require.True(t, bytes.Equal(data, got))
	})
	t.Run("modes", func(t *testing.T) {
		l := newLoop(t)
		user, program := openTerminal(t)
		tty, second := newTTY(t, l, program), newTTY(t, l, user)
		before := modeOf(t, program)
		require.NoError(t, tty.SetMode(uv.TTYRaw))
		require.True(t, isRaw(t, program))
		require.NotZero(t, modeOf(t, program).Oflag&syscall.OPOST)
		require.NoError(t, tty.SetMode(uv.TTYIO))
		require.Zero(t, modeOf(t, program).Oflag&syscall.OPOST)
		require.NoError(t, second.SetMode(uv.TTYRaw)) // the same terminal, from the other end
		require.NotZero(t, modeOf(t, program).Oflag&syscall.OPOST)
		tty.Close()
		require.True(t, isRaw(t, program), "another handle wants it so")
		require.NoError(t, uv.ResetTTY())
		require.Equal(t, before, modeOf(t, program))
		require.NoError(t, second.SetMode(uv.TTYRaw))
		require.True(t, isRaw(t, program), "after a reset too")
		require.NoError(t, second.SetMode(uv.TTYNormal))
		require.Equal(t, before, modeOf(t, program))
		require.NoError(t, second.SetMode(uv.TTYNormal))
		require.NoError(t, second.SetMode(uv.TTYRaw))
		second.Close()
		require.Equal(t, before, modeOf(t, program))
		require.ErrorIs(t, second.SetMode(uv.TTYRaw), uv.ErrClosed)
		_, _, err := second.WinSize()
		require.ErrorIs(t, err, uv.ErrClosed)
		third := newTTY(t, l, program)
		require.ErrorIs(t, third.SetMode(-1), uv.EINVAL)
		require.ErrorIs(t, third.SetMode(4), uv.EINVAL)
		if _, minor, _ := uv.Version(); minor < 51 {
			err = third.SetMode(uv.TTYRawVT)
			require.ErrorIs(t, err, uv.ErrNotSupported)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, err, syscall.ENOSYS)
		} else {
			require.NoError(t, third.SetMode(uv.TTYRawVT))
		}
	})
	t.Run("several terminals are reset from any goroutine", func(t *testing.T) {
		l := newLoop(t)
		var programs []int
		for range 3 {
			_, program := openTerminal(t)
			programs = append(programs, program)
			require.NoError(t, newTTY(t, l, program).SetMode(uv.TTYRaw))
		}
		reset := make(chan error)
		go func() { reset <- uv.ResetTTY() }()
		require.NoError(t, <-reset)
		for _, program := range programs {
			require.False(t, isRaw(t, program))
		}
	})
	t.Run("a panic restores", func(t *testing.T) {
		l := newLoop(t)
		_, program := openTerminal(t)
		tty := newTTY(t, l, program)
		for name, run := range map[string]func(){
			"Run":        func() { l.Run(uv.RunDefault) },
			"RunForever": func() { l.RunForever(t.Context()) },
			"Poll":       func() { l.Poll(uv.Forever) },
		} {
			require.NoError(t, tty.SetMode(uv.TTYRaw))
			require.NoError(t, newTimer(t, l).Start(0, 0, func() { panic(name) }))
			require.True(t, isRaw(t, program))
			require.PanicsWithValue(t, name, run)
			require.False(t, isRaw(t, program), name)
		}
		require.NoError(t, tty.SetMode(uv.TTYRaw))
		require.NoError(t, l.Poll(0))
		require.ErrorIs(t, l.Close(), uv.ErrBusy)
		require.True(t, isRaw(t, program), "a run that ends restores nothing")
	})
	t.Run("a signal that ends the process restores", func(t *testing.T) {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			_, program := openTerminal(t)
			before := modeOf(t, program)
			exe, err := os.Executable()
			require.NoError(t, err)
			copied, err := syscall.Dup(program)
			require.NoError(t, err)
			stdin := os.NewFile(uintptr(copied), "terminal")
			cmd := exec.Command(exe, childArg, "tty signal", strconv.Itoa(int(sig)))
			cmd.Stdin = stdin
			out, err := cmd.Output()
			require.NoError(t, stdin.Close())
			require.Equal(t, "handled, and raw\n", string(out))
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
			require.Equal(t, sig, exit.Sys().(syscall.WaitStatus).Signal())
			require.Equal(t, before, modeOf(t, program), "%v", sig)
		}
	})
	t.Run("the user hangs up", func(t *testing.T) {
		l := newLoop(t)
		user, program := openTerminal(t)
		tty := newTTY(t, l, program)
		require.NoError(t, tty.SetMode(uv.TTYRaw))
		var end error
		require.NoError(t, tty.ReadStart(func(b []byte, err error) { end = err }))
		syscall.Close(user)
		until(t, l, "the end", func() bool { return end != nil })
		require.ErrorIs(t, tty.SetMode(uv.TTYIO), uv.EIO)
		require.ErrorIs(t, uv.ResetTTY(), uv.EIO)
		var failed error
		require.NoError(t, tty.Write([]byte("x"), func(err error) { failed = err }))
		until(t, l, "the failure", func() bool { return failed != nil })
		tty.Close()
		require.NoError(t, uv.ResetTTY())
	})
	t.Run("a terminal that cannot be opened again", func(t *testing.T) {
		l := newLoop(t)
		user, program := openTerminal(t)
		before := statusFlags(t, user)
		tty := newTTY(t, l, user)
		require.Equal(t, before, statusFlags(t, user))
		var got []byte
		require.NoError(t, tty.ReadStart(func(b []byte, err error) { require.NoError(t, err); got = append(got, b...) }))
		require.NoError(t, tty.Write([]byte("typed\n"), nil))
		require.NoError(t, l.Poll(0))
		require.Equal(t, "typed\n", readTo(t, program, "typed\n"))
		until(t, l, "the echo", func() bool { return string(got) == "typed\r\n" })
		require.Zero(t, tty.Pull(make([]byte, 10)), "does not wait")
		write(t, program, "shown")
		until(t, l, "what the program says", func() bool { return strings.HasSuffix(string(got), "shown") })
		require.Equal(t, before, statusFlags(t, user))
		require.NoError(t, tty.CloseWrite(func(err error) { require.Error(t, err) }))
		require.NoError(t, l.Poll(0))
		tty.Close()
		require.NoError(t, l.Poll(0))
		require.Equal(t, before, statusFlags(t, user), "fd is the caller's")
	})
	t.Run("UV-090", func(t *testing.T) {
		l := newLoop(t)
		_, err := l.NewTTY(openFile(t))
		require.ErrorIs(t, err, uv.EINVAL)
		_, err = l.NewTTY(socket1(t))
		require.ErrorIs(t, err, uv.EINVAL)
		for _, fd := range []uintptr{1 << 20, 1 << 40, ^uintptr(0)} {
			_, err = l.NewTTY(fd)
			require.ErrorIs(t, err, uv.EBADF)
		}
		_, program := openTerminal(t)
		before := modeOf(t, program)
		require.Equal(t, "raw\n", onTerminal(t, program, "tty exit"))
		require.Zero(t, statusFlags(t, program)&syscall.O_NONBLOCK)
		require.Equal(t, before, modeOf(t, program))
	})
	t.Run("UV-089", func(t *testing.T) {
		l := newLoop(t)
		user, program := openTerminal(t)
		setSize(t, user, 120, 40)
		tty := newTTY(t, l, program)
		cols, rows, err := tty.WinSize()
		require.NoError(t, err)
		require.Equal(t, []int{120, 40}, []int{cols, rows})
		setSize(t, user, 100, 50)
		cols, rows, err = tty.WinSize()
		require.NoError(t, err)
		require.Equal(t, []int{100, 50}, []int{cols, rows})
		seen := make(chan string)
		go func() { // as soon as the child has said its first size
			for s := ""; ; {
				s += readSome(t, user)
				if strings.Contains(s, "100 50") {
					setSize(t, user, 80, 24)
				}
				if strings.Contains(s, "80 24") {
					seen <- s
					return
				}
			}
		}()
		require.Equal(t, "hears\n", onTerminal(t, program, "tty size"))
		<-seen
	})
	t.Run("from another goroutine", func(t *testing.T) {
		l := newLoop(t, uv.WithChecks())
		_, program := openTerminal(t)
		tty, p := newTTY(t, l, program), newIPC(t, l)
		for name, f := range map[string]func(){
			"Loop.NewTTY":           func() { l.NewTTY(0) },
			"TTY.SetMode":           func() { tty.SetMode(uv.TTYRaw) },
			"TTY.WinSize":           func() { tty.WinSize() },
			"Loop.NewPipeIPC":       func() { l.NewPipeIPC() },
			"Pipe.WriteHandle":      func() { p.WriteHandle([]byte("x"), p, nil) },
			"Pipe.TryWriteHandle":   func() { p.TryWriteHandle([]byte("x"), p) },
			"Pipe.ReadStartHandles": func() { p.ReadStartHandles(func([]byte, []uv.Handle, error) {}) },
			"Pipe.Chmod":            func() { p.Chmod(uv.PipeReadable) },
			"Stream.TryWriteV":      func() { tty.TryWriteV([][]byte{{1}}) },
		} {
			told := make(chan any)
			require.NoError(t, newTimer(t, l).Start(0, 0, func() {
				go func() {
					defer func() { told <- recover() }()
					f()
				}()
				err, _ := (<-told).(error)
				require.ErrorIs(t, err, uv.ErrWrongGoroutine)
				require.ErrorContains(t, err, name)
			}))
			require.NoError(t, l.Poll(uv.Forever))
		}
	})
	t.Run("sequences of consoles", func(t *testing.T) {
		require.NoError(t, uv.SetVTermState(uv.VTermUnsupported))
		require.ErrorIs(t, uv.SetVTermState(2), uv.EINVAL)
		_, err := uv.VTermState()
		require.ErrorIs(t, err, uv.ErrNotSupported)
	})
}

// socket1 is a socket that the end of the test closes.
func socket1(t testing.TB) uintptr {
	t.Helper()
	fd := socket(t, syscall.AF_INET)
	t.Cleanup(func() { syscall.Close(int(fd)) })
	return fd
}

// onTerminal runs a child whose standard input is a terminal, which it controls, and
// returns what it has printed.
func onTerminal(t testing.TB, program int, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	copied, err := syscall.Dup(program)
	require.NoError(t, err)
	stdin := os.NewFile(uintptr(copied), "terminal")
	defer stdin.Close()
	var out bytes.Buffer
	cmd := exec.Command(exe, append([]string{childArg}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Run(), "%s", &out)
	return out.String()
}

// childTTYSize says the size of its terminal on it, and once more when that changes.
func childTTYSize() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	tty, err := l.NewTTY(0)
	if err != nil {
		return err
	}
	say := func() {
		cols, rows, err := tty.WinSize()
		if err != nil {
			panic(err)
		}
		tty.Write(fmt.Appendf(nil, "%d %d\n", cols, rows), nil)
	}
	winch, err := l.NewSignal()
	if err != nil {
		return err
	}
	if err := winch.Start(syscall.SIGWINCH, func(syscall.Signal) {
		say()
		tty.CloseWrite(func(error) { l.Stop() }) // no terminal can; but what was written has left
	}); err != nil {
		return err
	}
	say()
	if _, err := l.Run(uv.RunDefault); err != nil {
		return err
	}
	fmt.Println("hears")
	return nil
}

// childTTYExit uses the terminal on its standard input, and ends without a word.
func childTTYExit() error {
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	tty, err := l.NewTTY(0)
	if err != nil {
		return err
	}
	if err := tty.SetMode(uv.TTYRaw); err != nil {
		return err
	}
	if err := tty.ReadStart(func([]byte, error) {}); err != nil {
		return err
	}
	if err := tty.Write([]byte("x"), nil); err != nil {
		return err
	}
	if err := l.Poll(time.Millisecond); err != nil {
		return err
	}
	fmt.Println("raw")
	return uv.ResetTTY()
}

// childTTYSignal handles a signal, and then leaves it to its default.
func childTTYSignal(args []string) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	sig := syscall.Signal(number)
	l, err := uv.NewLoop()
	if err != nil {
		return err
	}
	tty, err := l.NewTTY(0)
	if err != nil {
		return err
	}
	before, _ := terminalMode(0)
	if err := tty.SetMode(uv.TTYRaw); err != nil {
		return err
	}
	s, err := l.NewSignal()
	if err != nil {
		return err
	}
	if err := s.Start(sig, func(syscall.Signal) { s.Close() }); err != nil {
		return err
	}
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		return err
	}
	for s.Num() != 0 {
		if err := l.Poll(uv.Forever); err != nil {
			return err
		}
	}
	if now, errno := terminalMode(0); errno != 0 || now == before {
		return fmt.Errorf("it is not raw: %w", errno)
	}
	fmt.Println("handled, and raw")
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		return err
	}
	return l.Poll(patience)
}
