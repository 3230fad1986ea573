package wait

import (
	"syscall"
	"time"
	"unsafe"
)

// tick is a timer of the kernel's that ends a wait in which the loop holds its P for too
// long. It is set once a millisecond at most and seldom expires. A timeout of the wait
// itself would be set for every wait, and that costs 1.5 us: with it an echo over one
// connection took 1.45 times a C server's time, without it 1.25 times.
type tick struct {
	loop Loop
	fd   int    // 0 until it is needed
	at   uint64 // when it was set, by the loop's cached clock
}

// holdMax is how long a wait may hold the P.
const holdMax = 2 * time.Millisecond

// set makes the next wait last holdMax at most.
//
// A tick that has expired since it was set either ends that wait at once, or was seen by
// a turn, after which the cached clock shows another time. Without a timer, which the
// system may refuse, the runtime's monitor takes the P after 10 or 20 ms.
func (t *tick) set() {
	now := t.loop.Now()
	if now == t.at {
		return
	}
	t.at = now
	if t.fd == 0 {
		t.fd = t.loop.TickFD()
	}
	spec := struct{ interval, value syscall.Timespec }{value: syscall.NsecToTimespec(int64(holdMax))}
	syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(t.fd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}
