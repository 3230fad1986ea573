//go:build cgo

package uv

// What the system tells of itself, of this process and of memory. Plain functions, for
// any goroutine.

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// HRTime is a monotonic clock in nanoseconds, of which only differences mean something;
// uv_hrtime.
func HRTime() uint64 { return cbridge.HRTime() }

// GetTimeOfDay is the clock of the day, to the microsecond; uv_gettimeofday.
func GetTimeOfDay() (time.Time, error) {
	sec, usec, code := cbridge.GetTimeOfDay()
	if code != 0 {
		return time.Time{}, systemError("gettimeofday", code)
	}
	return time.Unix(sec, int64(usec)*1000), nil
}

// ClockID is a clock of ClockGettime, uv_clock_id.
type ClockID int

// The clocks.
const (
	ClockMonotonic ClockID = iota
	ClockRealtime
)

// ClockGettime is the time since the clock's epoch, for ClockRealtime the year 1970;
// uv_clock_gettime. The error is EINVAL for another clock, or ErrNotSupported before
// libuv 1.45.
func ClockGettime(c ClockID) (time.Duration, error) {
	if c != ClockMonotonic && c != ClockRealtime {
		return 0, systemError("clock_gettime", int(EINVAL))
	}
	sec, nsec, code := cbridge.ClockGettime(int(c))
	if code != 0 {
		return 0, since("clock_gettime", 45, code)
	}
	return time.Duration(sec)*time.Second + time.Duration(nsec), nil
}

// Uptime is how long the system is up; uv_uptime.
func Uptime() (time.Duration, error) {
	seconds, code := cbridge.Uptime()
	if code != 0 {
		return 0, systemError("uptime", code)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// LoadAvg is how many threads wanted to run on average, over one, five and fifteen
// minutes; uv_loadavg. Where the system does not count them it is zeros.
func LoadAvg() [3]float64 { return cbridge.LoadAvg() }

// RSS is how much memory of the machine's this process has, in bytes;
// uv_resident_set_memory.
func RSS() (uint64, error) {
	n, code := cbridge.RSS()
	return n, systemError("resident_set_memory", code)
}

// FreeMemory is the memory that is free or can be freed at once, in bytes;
// uv_get_free_memory. 0 is not known.
func FreeMemory() uint64 { return cbridge.FreeMemory() }

// TotalMemory is the memory of the machine, in bytes; uv_get_total_memory. 0 is not
// known.
func TotalMemory() uint64 { return cbridge.TotalMemory() }

// unlimited is less than any of the numbers that stand for no limit, which are next to
// the largest of 63 or of 64 bits.
const unlimited = 1 << 62

// ConstrainedMemory is the limit that a container sets to this process, in bytes;
// uv_get_constrained_memory. It is 0 if none is known.
func ConstrainedMemory() uint64 {
	if n := cbridge.ConstrainedMemory(); n < unlimited {
		return n
	}
	return 0
}

// AvailableMemory is what this process may still take, in bytes;
// uv_get_available_memory. The error is ErrNotSupported before libuv 1.45.
func AvailableMemory() (uint64, error) {
	n, code := cbridge.AvailableMemory()
	return n, since("get_available_memory", 45, code)
}

// CPU is one logical processor and what it has done since the system came up,
// uv_cpu_info_t.
type CPU struct {
	Model                      string
	MHz                        int
	User, Nice, Sys, Idle, IRQ time.Duration
}

// CPUInfo tells of the machine's processors; uv_cpu_info. Where nothing tells the model
// it is "unknown", and the frequency 0.
func CPUInfo() ([]CPU, error) { return cpuInfo() }

// AvailableParallelism is how many threads of this process can run side by side, at least
// 1; uv_available_parallelism.
func AvailableParallelism() int { return cbridge.AvailableParallelism() }

// told is a text of the system's.
func told(op string, ask func() (string, int)) (string, error) {
	text, code := ask()
	return text, systemError(op, code)
}

// ExePath is the path of this program's file; uv_exepath.
func ExePath() (string, error) { return told("exepath", cbridge.ExePath) }

// Cwd is the working directory; uv_cwd. The error is ENOENT if it was removed.
func Cwd() (string, error) { return told("cwd", cbridge.Cwd) }

// Hostname is the name of the machine; uv_os_gethostname.
func Hostname() (string, error) { return told("os_gethostname", cbridge.Hostname) }

// HomeDir is the directory that HOME names, or else the home of the effective user;
// uv_os_homedir. The environment is Go's: C's may change while libuv would look.
func HomeDir() (string, error) {
	if home, set := os.LookupEnv("HOME"); set {
		return home, nil
	}
	u, err := Passwd()
	return u.HomeDir, err
}

// TmpDir is the directory that TMPDIR, TMP, TEMP or TEMPDIR names, the first that is set,
// or else the system's; uv_os_tmpdir.
func TmpDir() (string, error) {
	for _, name := range []string{"TMPDIR", "TMP", "TEMP", "TEMPDIR"} {
		if dir, set := os.LookupEnv(name); set {
			if len(dir) > 1 {
				dir = strings.TrimSuffix(dir, string(filepath.Separator))
			}
			return dir, nil
		}
	}
	return "/tmp", nil
}

// UtsName is what uname(1) tells, uv_utsname_t.
type UtsName struct{ Sysname, Release, Version, Machine string }

// Uname names the system; uv_os_uname.
func Uname() (UtsName, error) {
	u, code := cbridge.Uname()
	return UtsName(u), systemError("os_uname", code)
}

// Priority is that of a process, from -20, which is the highest, to 19;
// uv_os_getpriority. A pid of 0 is this process. Linux has one for each thread, and this
// is the one of the first. The error is ESRCH if there is no such process.
func Priority(pid int) (int, error) {
	n, code := cbridge.Priority(process(pid))
	return n, systemError("os_getpriority", code)
}

// SetPriority sets what Priority tells; uv_os_setpriority. The error is EINVAL for a
// number that is none, ESRCH, EACCES or EPERM.
func SetPriority(pid, priority int) error {
	return systemError("os_setpriority", cbridge.SetPriority(process(pid), priority))
}

// process is pid, and for 0 this process: the system would take the thread that happens
// to call.
func process(pid int) int {
	if pid == 0 {
		return os.Getpid()
	}
	return pid
}

// ResourceUsage is what this process has used, uv_rusage_t. MaxRSS is in the system's
// unit, which is KiB on Linux. What the system does not count is 0.
type ResourceUsage struct {
	UserTime, SystemTime                                    time.Duration
	MaxRSS, IxRSS, IdRSS, IsRSS                             uint64
	MinFaults, MajFaults, Swaps, InBlocks, OutBlocks        uint64
	MsgsSent, MsgsReceived, Signals, Voluntary, Involuntary uint64
}

// Rusage tells what this process has used; uv_getrusage.
func Rusage() (ResourceUsage, error) {
	u, code := cbridge.Rusage()
	if code != 0 {
		return ResourceUsage{}, systemError("getrusage", code)
	}
	return ResourceUsage{
		UserTime: time.Duration(u.User) * time.Microsecond, SystemTime: time.Duration(u.System) * time.Microsecond,
		MaxRSS: u.MaxRSS, IxRSS: u.IxRSS, IdRSS: u.IdRSS, IsRSS: u.IsRSS,
		MinFaults: u.MinFaults, MajFaults: u.MajFaults, Swaps: u.Swaps, InBlocks: u.InBlocks, OutBlocks: u.OutBlocks,
		MsgsSent: u.MsgsSent, MsgsReceived: u.MsgsReceived, Signals: u.Signals, Voluntary: u.Voluntary, Involuntary: u.Involuntary,
	}, nil
}
