package wait

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// testMain fails when a goroutine or a descriptor is left.
func testMain(m *testing.M) int {
	r, w, err := os.Pipe() // opens what the runtime's poller keeps for good
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot begin:", err)
		return 1
	}
	r.Close()
	w.Close()
	before := descriptors()
	if code := m.Run(); code != 0 {
		return code
	}
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if after := descriptors(); after > before {
		fmt.Fprintln(os.Stderr, "descriptors before the tests:", before, "after:", after)
		return 1
	}
	return 0
}

// descriptors is how many this process has.
func descriptors() int {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(all)
}

// epollLoop is a Loop that polls as libuv does: an epoll descriptor with the wake-up, the
// tick and a source of events in its set, one turn at a time.
type epollLoop struct {
	t        testing.TB
	epoll    int
	wake     int      // an eventfd
	tick     int      // 0 until it is asked for
	source   *os.File // where the test writes events
	ours     int      // where a turn reads them
	idle     bool     // the poll has nothing alive
	now      uint64
	turns    int
	blocking int // turns that might wait
	events   int // bytes that came from source
}

func newEpollLoop(t testing.TB) *epollLoop {
	l := &epollLoop{t: t, epoll: newEpoll(t), wake: newEventFD(t)}
	l.watch(l.wake)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	l.ours, l.source = fds[0], os.NewFile(uintptr(fds[1]), "source")
	l.watch(l.ours)
	t.Cleanup(func() {
		syscall.Close(l.ours)
		l.source.Close()
		if l.tick != 0 {
			syscall.Close(l.tick)
		}
	})
	return l
}

func newEpoll(t testing.TB) int {
	t.Helper()
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

func newEventFD(t testing.TB) int {
	t.Helper()
	fd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	require.Zero(t, errno)
	t.Cleanup(func() { syscall.Close(int(fd)) })
	return int(fd)
}

// epollReady reports whether an epoll descriptor has something to report, and takes it.
func epollReady(t testing.TB, epoll int) bool {
	t.Helper()
	var events [1]syscall.EpollEvent
	n, err := syscall.EpollWait(epoll, events[:], 0)
	require.NoError(t, err)
	return n > 0
}

func (l *epollLoop) watch(fd int) {
	require.NoError(l.t, syscall.EpollCtl(l.epoll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}))
}

func (l *epollLoop) Turn(timeout time.Duration, ifAlive bool) Found {
	l.turns++
	ms := -1
	if timeout != forever {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	if ifAlive && l.idle {
		ms = 0
	}
	if ms != 0 {
		l.blocking++
	}
	start := time.Now()
	var ready [8]syscall.EpollEvent
	n, err := syscall.EpollWait(l.epoll, ready[:], ms)
	if err == syscall.EINTR {
		n, err = 0, nil
	}
	require.NoError(l.t, err)
	found := Found{Alive: !l.idle}
	if ms != 0 {
		found.Waited = time.Since(start)
	}
	l.now = uint64(time.Now().UnixMilli())
	var b [4096]byte
	for _, e := range ready[:n] {
		got, err := syscall.Read(int(e.Fd), b[:])
		require.NoError(l.t, err)
		if int(e.Fd) == l.ours {
			l.events += got
			found.Events = true
		}
	}
	return found
}

func (l *epollLoop) Now() uint64 { return l.now }

func (l *epollLoop) BackendFD() int { return l.epoll }

func (l *epollLoop) TickFD() int {
	const monotonic = 1
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, monotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	require.Zero(l.t, errno)
	l.tick = int(fd)
	l.watch(l.tick)
	return l.tick
}

func (l *epollLoop) Signal() {
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	syscall.Write(l.wake, one[:])
}

// event makes an event. It may be called from any goroutine.
func (l *epollLoop) event() { l.source.Write([]byte("x")) }

// runner is a loop with its Waiter, and posts from other goroutines.
type runner struct {
	*epollLoop
	sleep Sleep
	w     Waiter
	inbox atomic.Int64
	posts int // taken from inbox
}

func newRunner(t testing.TB, way func(Loop, *Sleep) Waiter) *runner {
	r := &runner{epollLoop: newEpollLoop(t), sleep: Sleep{Base: time.Now()}}
	r.w = way(r.epollLoop, &r.sleep)
	t.Cleanup(func() { r.w.Close() })
	return r
}

// poll waits once, and takes what was posted.
func (r *runner) poll(timeout time.Duration) {
	r.w.Wait(timeout, false)
	if r.sleep.Woken() {
		r.sleep.Forget()
		r.posts += int(r.inbox.Swap(0))
	}
}

// wakeUp wakes the loop. It may be called from any goroutine.
func (r *runner) wakeUp() {
	if waiter, _ := r.sleep.Wake(); waiter {
		r.w.Wake()
	}
}

// post is a wake-up that counts.
func (r *runner) post() {
	r.inbox.Add(1)
	r.wakeUp()
}
