//go:build cgo

package cbridge

// What the system tells. Any goroutine. Codes are libuv's; UV_ENOSYS is what the libuv in
// use lacks.

/*
#include "requests.h"
#include <stdlib.h>
*/
import "C"

import "unsafe"

// HRTime is uv_hrtime.
func HRTime() uint64 { return uint64(C.uv_hrtime()) }

// GetTimeOfDay is uv_gettimeofday.
func GetTimeOfDay() (sec int64, usec int32, code int) {
	var t C.uv_timeval64_t
	code = int(C.uv_gettimeofday(&t))
	return int64(t.tv_sec), int32(t.tv_usec), code
}

// ClockGettime is uv_clock_gettime: 0 is the monotonic clock, 1 that of the day.
func ClockGettime(clock int) (sec int64, nsec int32, code int) {
	var s C.int64_t
	var n C.int32_t
	code = int(C.br_clock_gettime(cint(clock), &s, &n))
	return int64(s), int32(n), code
}

// Uptime is uv_uptime.
func Uptime() (seconds float64, code int) {
	var s C.double
	code = int(C.uv_uptime(&s))
	return float64(s), code
}

// LoadAvg is uv_loadavg.
func LoadAvg() [3]float64 {
	var avg [3]C.double
	C.uv_loadavg(&avg[0])
	return [3]float64{float64(avg[0]), float64(avg[1]), float64(avg[2])}
}

// RSS is uv_resident_set_memory.
func RSS() (bytes uint64, code int) {
	var n C.size_t
	code = int(C.uv_resident_set_memory(&n))
	return uint64(n), code
}

// FreeMemory is uv_get_free_memory.
func FreeMemory() uint64 { return uint64(C.uv_get_free_memory()) }

// TotalMemory is uv_get_total_memory.
func TotalMemory() uint64 { return uint64(C.uv_get_total_memory()) }

// ConstrainedMemory is uv_get_constrained_memory.
func ConstrainedMemory() uint64 { return uint64(C.uv_get_constrained_memory()) }

// AvailableMemory is uv_get_available_memory.
func AvailableMemory() (bytes uint64, code int) {
	var n C.uint64_t
	code = int(C.br_available_memory(&n))
	return uint64(n), code
}

// CPU is uv_cpu_info_t; times are in milliseconds.
type CPU struct {
	Model                      string
	MHz                        int
	User, Nice, Sys, Idle, IRQ uint64
}

// CPUInfo is uv_cpu_info.
func CPUInfo() ([]CPU, int) {
	var list *C.uv_cpu_info_t
	var n C.int
	if code := C.uv_cpu_info(&list, &n); code != 0 {
		return nil, int(code)
	}
	defer C.uv_free_cpu_info(list, n)
	cpus := make([]CPU, 0, n)
	for _, c := range unsafe.Slice(list, n) {
		t := c.cpu_times
		cpus = append(cpus, CPU{C.GoString(c.model), int(c.speed), uint64(t.user), uint64(t.nice), uint64(t.sys), uint64(t.idle), uint64(t.irq)})
	}
	return cpus, 0
}

// AvailableParallelism is uv_available_parallelism.
func AvailableParallelism() int { return int(C.uv_available_parallelism()) }

// Interface is uv_interface_address_t; addresses are sockaddrs.
type Interface struct {
	Name          string
	Hardware      [6]byte
	Internal      bool
	Addr, Netmask [AddrBytes]byte
}

// InterfaceAddresses is uv_interface_addresses.
func InterfaceAddresses() ([]Interface, int) {
	var list *C.uv_interface_address_t
	var n C.int
	if code := C.br_interface_addresses(&list, &n); code != 0 {
		return nil, int(code)
	}
	defer C.uv_free_interface_addresses(list, n)
	all := make([]Interface, 0, n)
	for i := range unsafe.Slice(list, n) {
		c := &unsafe.Slice(list, n)[i]
		a := Interface{Name: C.GoString(c.name), Internal: c.is_internal != 0}
		copy(a.Hardware[:], C.GoBytes(unsafe.Pointer(&c.phys_addr[0]), 6))
		copy(a.Addr[:], c.address[:])
		copy(a.Netmask[:], c.netmask[:])
		all = append(all, a)
	}
	return all, 0
}

// textBytesMax is more than any of the texts takes.
const textBytesMax = 1 << 20

// text calls f with more and more room, until a text fits. One that fills its room may
// have been cut.
func text(f func(p *C.char, n *C.size_t) C.int) (string, int) {
	for room := 1024; ; room *= 4 {
		p := make([]byte, room)
		n := C.size_t(room)
		code := f(chars(p), &n)
		s := ""
		if code == 0 {
			s = string(p[:n])
		}
		if cut := code == C.UV_ENOBUFS || code == 0 && int(n) >= room-1; !cut || room == textBytesMax {
			return s, int(code)
		}
	}
}

// IfName is uv_if_indextoname.
func IfName(index uint32) (string, int) {
	return text(func(p *C.char, n *C.size_t) C.int { return C.uv_if_indextoname(C.uint(index), p, n) })
}

// IfID is uv_if_indextoiid.
func IfID(index uint32) (string, int) {
	return text(func(p *C.char, n *C.size_t) C.int { return C.uv_if_indextoiid(C.uint(index), p, n) })
}

// ExePath is uv_exepath.
func ExePath() (string, int) {
	return text(func(p *C.char, n *C.size_t) C.int { return C.uv_exepath(p, n) })
}

// Cwd is uv_cwd.
func Cwd() (string, int) {
	return text(func(p *C.char, n *C.size_t) C.int { return C.uv_cwd(p, n) })
}

// Hostname is uv_os_gethostname.
func Hostname() (string, int) {
	return text(func(p *C.char, n *C.size_t) C.int { return C.uv_os_gethostname(p, n) })
}

// UtsName is uv_utsname_t.
type UtsName struct{ Sysname, Release, Version, Machine string }

// Uname is uv_os_uname.
func Uname() (UtsName, int) {
	var u C.uv_utsname_t
	if code := C.uv_os_uname(&u); code != 0 {
		return UtsName{}, int(code)
	}
	return UtsName{C.GoString(&u.sysname[0]), C.GoString(&u.release[0]), C.GoString(&u.version[0]), C.GoString(&u.machine[0])}, 0
}

// User is uv_passwd_t.
type User struct {
	Name, Shell, Home string
	UID, GID          uint64
}

func userOf(p *C.uv_passwd_t) User {
	defer C.uv_os_free_passwd(p)
	return User{C.GoString(p.username), C.GoString(p.shell), C.GoString(p.homedir), uint64(p.uid), uint64(p.gid)}
}

// Passwd is uv_os_get_passwd.
func Passwd() (User, int) {
	var p C.uv_passwd_t
	if code := C.uv_os_get_passwd(&p); code != 0 {
		return User{}, int(code)
	}
	return userOf(&p), 0
}

// PasswdOf is uv_os_get_passwd2.
func PasswdOf(uid uint32) (User, int) {
	var p C.uv_passwd_t
	if code := C.br_passwd_of(C.ulong(uid), &p); code != 0 {
		return User{}, int(code)
	}
	return userOf(&p), 0
}

// Group is uv_group_t.
type Group struct {
	Name    string
	GID     uint64
	Members []string
}

// GroupOf is uv_os_get_group.
func GroupOf(gid uint32) (Group, int) {
	var c C.br_group
	if code := C.br_group_of(C.ulong(gid), &c); code != 0 {
		return Group{}, int(code)
	}
	defer C.br_group_free(&c)
	g := Group{Name: C.GoString(c.name), GID: uint64(c.gid)}
	for m := c.members; *m != nil; m = (**C.char)(unsafe.Add(unsafe.Pointer(m), unsafe.Sizeof(*m))) {
		g.Members = append(g.Members, C.GoString(*m))
	}
	return g, 0
}

// Priority is uv_os_getpriority.
func Priority(pid int) (int, int) {
	var p C.int
	code := C.uv_os_getpriority(C.uv_pid_t(cint(pid)), &p)
	return int(p), int(code)
}

// SetPriority is uv_os_setpriority.
func SetPriority(pid, priority int) int {
	return int(C.uv_os_setpriority(C.uv_pid_t(cint(pid)), cint(priority)))
}

// Usage is uv_rusage_t; times are in microseconds.
type Usage struct {
	User, System                                       int64
	MaxRSS, IxRSS, IdRSS, IsRSS, MinFaults, MajFaults  uint64
	Swaps, InBlocks, OutBlocks, MsgsSent, MsgsReceived uint64
	Signals, Voluntary, Involuntary                    uint64
}

// Rusage is uv_getrusage.
func Rusage() (Usage, int) {
	var u C.uv_rusage_t
	if code := C.uv_getrusage(&u); code != 0 {
		return Usage{}, int(code)
	}
	return Usage{
		User: int64(u.ru_utime.tv_sec)*1e6 + int64(u.ru_utime.tv_usec), System: int64(u.ru_stime.tv_sec)*1e6 + int64(u.ru_stime.tv_usec),
		MaxRSS: uint64(u.ru_maxrss), IxRSS: uint64(u.ru_ixrss), IdRSS: uint64(u.ru_idrss), IsRSS: uint64(u.ru_isrss),
		MinFaults: uint64(u.ru_minflt), MajFaults: uint64(u.ru_majflt), Swaps: uint64(u.ru_nswap), InBlocks: uint64(u.ru_inblock),
		OutBlocks: uint64(u.ru_oublock), MsgsSent: uint64(u.ru_msgsnd), MsgsReceived: uint64(u.ru_msgrcv), Signals: uint64(u.ru_nsignals),
		Voluntary: uint64(u.ru_nvcsw), Involuntary: uint64(u.ru_nivcsw),
	}, 0
}
