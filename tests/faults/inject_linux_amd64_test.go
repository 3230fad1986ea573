package faults_test

// Making a system call fail. The kernel stops the process at each call of a kind and asks
// this one, by seccomp's user notifications. An injector counts the calls, and answers
// that the call shall go on, or fail with an error of its choice. It needs no tracer, and
// all other calls of the process are as quick as ever.
//
// The process says when a round begins and ends. In the N-th round the N-th call fails,
// so a process that runs rounds until one was without a fault has had each of its calls
// fail once. A call of such a kind that cannot fail so is not counted: the kernel takes
// eight bytes for an event descriptor, always. A child counts until it runs its program.

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// What package syscall lacks.
const (
	sysSeccomp   = 317
	sysPidfdOpen = 434
	sysPidfdGet  = 438
	sysSendmmsg  = 307

	prSetNoNewPrivs    = 38
	seccompSetFilter   = 1
	filterNewListener  = 1 << 3
	retAllow           = 0x7fff0000
	retNotify          = 0x7fc00000
	notifyRecv         = 0xc0502100
	notifySend         = 0xc0182101
	notifyGoesOn       = 1
	pollIn             = 1
	listenerTarget     = "anon_inode:seccomp notify"
	launchVariable     = "ASYNCIO_FAULTS_OF_CALLS"
	markerCall         = syscall.SYS_GETPRIORITY // nobody else makes it
	markerWhich        = 0x0fa17
	roundBegins        = 1
	roundEnds          = 2
	notificationPeriod = 100 * time.Millisecond
)

// notification is struct seccomp_notif, answer is struct seccomp_notif_resp.
type notification struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

type answer struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

type pollFD struct {
	fd      int32
	events  int16
	revents int16
}

// mark tells the injector that a round begins or ends, and reports whether a call has
// failed in it.
func mark(what, round int) bool {
	failed, _, errno := syscall.RawSyscall(markerCall, markerWhich, uintptr(what), uintptr(round))
	return errno == 0 && failed != 0
}

// launch is main of the process in which calls are to fail: it makes the kernel ask,
// waits until somebody answers, and becomes the program.
func launch(calls string) {
	runtime.LockOSThread() // the filter is this thread's, and so that of the program
	if err := installFilter(calls); err != nil {
		fmt.Println("cannot be asked:", err)
		os.Exit(0)
	}
	if _, err := io.ReadFull(os.Stdin, make([]byte, 1)); err != nil {
		os.Exit(1)
	}
	exe, err := os.Executable()
	if err == nil {
		os.Unsetenv(launchVariable)
		err = syscall.Exec(exe, os.Args, os.Environ())
	}
	fmt.Println(err)
	os.Exit(1)
}

func installFilter(calls string) error {
	const load, jumpIfEqual, ret = 0x20, 0x15, 0x06
	filter := []syscall.SockFilter{{Code: load}}
	for _, s := range strings.Split(calls, ",") {
		nr, err := strconv.Atoi(s)
		if err != nil {
			return err
		}
		filter = append(filter, syscall.SockFilter{Code: jumpIfEqual, Jf: 1, K: uint32(nr)}, syscall.SockFilter{Code: ret, K: retNotify})
	}
	filter = append(filter, syscall.SockFilter{Code: ret, K: retAllow})
	program := syscall.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0); errno != 0 {
		return errno
	}
	_, _, errno := syscall.RawSyscall(sysSeccomp, seccompSetFilter, filterNewListener, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// injector makes calls of one process fail.
type injector struct {
	kind     kind
	errno    syscall.Errno
	pid      int
	listener int
	round    int // 0 between two rounds
	rounds   int
	seen     int // calls of the round
	failed   bool
	last     string // the call that has failed last
	over     atomic.Bool
	served   chan struct{}
}

// start starts the program, in which calls of the kind fail from its first round on.
func (in *injector) start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	numbers := []string{strconv.Itoa(markerCall)}
	for _, nr := range in.kind.numbers {
		numbers = append(numbers, strconv.Itoa(nr))
	}
	cmd.Env = append(cmd.Env, launchVariable+"="+strings.Join(numbers, ","))
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	in.pid = cmd.Process.Pid
	in.listener = in.findListener(t, cmd)
	in.served = make(chan struct{})
	go in.serve()
	_, err = stdin.Write([]byte("!"))
	require.NoError(t, err)
}

// findListener takes a copy of the descriptor by which the kernel asks.
func (in *injector) findListener(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", in.pid)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		entries, err := os.ReadDir(dir)
		if err != nil || ended(in.pid) {
			break
		}
		for _, e := range entries {
			if target, _ := os.Readlink(filepath.Join(dir, e.Name())); target == listenerTarget {
				number, err := strconv.Atoi(e.Name())
				require.NoError(t, err)
				return copyOf(t, in.pid, number)
			}
		}
	}
	cmd.Process.Kill()
	_ = cmd.Wait()
	t.Skipf("the kernel does not ask by seccomp: %s", cmd.Stdout)
	return -1
}

// ended reports whether a child has ended, and waits to be waited for.
func ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

func copyOf(t *testing.T, pid, number int) int {
	t.Helper()
	pidfd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), 0, 0)
	require.Zero(t, errno, "pidfd_open")
	defer syscall.Close(int(pidfd))
	fd, _, errno := syscall.Syscall(sysPidfdGet, pidfd, uintptr(number), 0)
	require.Zero(t, errno, "pidfd_getfd")
	return int(fd)
}

// stop ends the injector of a process that has ended.
func (in *injector) stop() {
	in.over.Store(true)
	<-in.served
	syscall.Close(in.listener)
}

func (in *injector) serve() {
	defer close(in.served)
	period := syscall.NsecToTimespec(int64(notificationPeriod))
	for !in.over.Load() {
		p := pollFD{fd: int32(in.listener), events: pollIn}
		syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&period)), 0, 0, 0)
		if p.revents&pollIn == 0 {
			if p.revents != 0 {
				return // nobody is left that might ask
			}
			continue
		}
		var n notification
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(in.listener), notifyRecv, uintptr(unsafe.Pointer(&n))); errno != 0 {
			continue
		}
		seen, failed := in.seen, in.failed
		a := in.answer(&n)
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(in.listener), notifySend, uintptr(unsafe.Pointer(&a))); errno != 0 {
			in.seen, in.failed = seen, failed // a signal has come first, and the call is made again
		}
	}
}

func (in *injector) answer(n *notification) answer {
	switch {
	case n.nr == markerCall && n.args[0] == markerWhich:
		return answer{id: n.id, value: in.marked(int(n.args[1]), int(n.args[2]))}
	case in.round > 0 && !in.failed && in.counts(n):
		if in.seen++; in.seen == in.round {
			in.failed = true
			in.last = fmt.Sprintf("%s(%x) of %s, call %d of the round", in.kind.name, n.args, n.files(), in.seen)
			return answer{id: n.id, errno: -int32(in.errno)}
		}
	}
	return answer{id: n.id, flags: notifyGoesOn}
}

func (in *injector) marked(what, round int) int64 {
	if what == roundBegins {
		in.rounds = round
		in.round, in.seen, in.failed = round, 0, false
		return 0
	}
	in.round = 0
	if in.failed {
		return 1
	}
	return 0
}

// counts reports whether a call is one that might fail so.
func (in *injector) counts(n *notification) bool {
	return in.isOurs(int(n.pid)) && (in.kind.counts == nil || in.kind.counts(n))
}

// isOurs reports whether a thread is the program's, or a child that has not become a
// program of its own so far. Those that have inherit the filter, and never fail.
func (in *injector) isOurs(thread int) bool {
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%d", in.pid, thread)); err == nil {
		return true
	}
	ours, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", in.pid))
	if err != nil {
		return false
	}
	its, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", thread))
	return err == nil && its == ours
}

// files is what the first and the third argument are of, if they are descriptors.
func (n *notification) files() string { return strings.TrimSpace(n.file(0) + " " + n.file(2)) }

// file is what a descriptor of the process that asks is of.
func (n *notification) file(arg int) string {
	target, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", n.pid, int32(n.args[arg])))
	return target
}
