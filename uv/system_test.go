//go:build cgo

package uv_test

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/uv"
)

// hasSince reports whether libuv is of 1.minor or later. If not, err has to say so.
func hasSince(t testing.TB, minor int, err error) bool {
	t.Helper()
	if _, is, _ := uv.Version(); is >= minor {
		return true
	}
	require.ErrorIs(t, err, uv.ErrNotSupported)
	require.ErrorIs(t, err, uv.ENOSYS)
	require.ErrorIs(t, err, syscall.ENOSYS)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "1."+strconv.Itoa(minor))
	var e *uv.Error
	require.ErrorAs(t, err, &e)
	return false
}

// proc is what the system says in a file; the test is for systems that have it.
func proc(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Skip("this system does not say")
	}
	return string(text)
}

func TestClocks(t *testing.T) {
	t.Run("HRTime", func(t *testing.T) {
		began, was := time.Now(), uv.HRTime()
		for range 1000 {
			now := uv.HRTime()
			require.GreaterOrEqual(t, now, was)
			was = now
		}
		time.Sleep(5 * time.Millisecond) // what it measures
		require.GreaterOrEqual(t, uv.HRTime()-was, uint64(5*time.Millisecond))
		require.Less(t, time.Duration(uv.HRTime()-was), time.Since(began)+time.Millisecond)
	})
	t.Run("GetTimeOfDay", func(t *testing.T) {
		before := time.Now().Truncate(time.Microsecond)
		now, err := uv.GetTimeOfDay()
		require.NoError(t, err)
		require.False(t, now.Before(before), "%v %v", before, now)
		require.False(t, now.After(time.Now()))
	})
	t.Run("ClockGettime", func(t *testing.T) {
		for _, c := range []uv.ClockID{-1, 2, math.MaxInt} {
			_, err := uv.ClockGettime(c)
			require.ErrorIs(t, err, uv.EINVAL)
		}
		before := time.Now()
		day, err := uv.ClockGettime(uv.ClockRealtime)
		if !hasSince(t, 45, err) {
			return
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, int64(day), before.UnixNano())
		require.LessOrEqual(t, int64(day), time.Now().UnixNano())
		was := uv.HRTime()
		mono, err := uv.ClockGettime(uv.ClockMonotonic)
		require.NoError(t, err)
		require.LessOrEqual(t, was, uint64(mono))
		require.LessOrEqual(t, uint64(mono), uv.HRTime())
	})
	t.Run("Uptime", func(t *testing.T) {
		text := proc(t, "/proc/uptime")
		want, err := strconv.ParseFloat(strings.Fields(text)[0], 64)
		require.NoError(t, err)
		up, err := uv.Uptime()
		require.NoError(t, err)
		require.InDelta(t, want, up.Seconds(), patience.Seconds())
		require.Positive(t, up)
	})
	t.Run("LoadAvg", func(t *testing.T) {
		fields := strings.Fields(proc(t, "/proc/loadavg"))
		for i, got := range uv.LoadAvg() {
			want, err := strconv.ParseFloat(fields[i], 64)
			require.NoError(t, err)
			require.InDelta(t, want, got, max(2, want/4))
		}
	})
}

func TestMemory(t *testing.T) {
	t.Run("of this process", func(t *testing.T) {
		pages := strings.Fields(proc(t, "/proc/self/statm"))[1]
		want, err := strconv.ParseUint(pages, 10, 64)
		require.NoError(t, err)
		rss, err := uv.RSS()
		require.NoError(t, err)
		require.InEpsilon(t, want*uint64(os.Getpagesize()), rss, 0.5)
	})
	t.Run("of the machine", func(t *testing.T) {
		var total uint64
		for line := range strings.Lines(proc(t, "/proc/meminfo")) {
			if f := strings.Fields(line); f[0] == "MemTotal:" {
				total, _ = strconv.ParseUint(f[1], 10, 64)
			}
		}
		require.Equal(t, total<<10, uv.TotalMemory())
		require.Positive(t, uv.FreeMemory())
		require.LessOrEqual(t, uv.FreeMemory(), uv.TotalMemory())
		require.Less(t, uv.ConstrainedMemory(), uint64(1)<<62, "no limit is 0")
		n, err := uv.AvailableMemory()
		if hasSince(t, 45, err) {
			require.NoError(t, err)
			require.Positive(t, n)
		}
	})
}

func TestCPUs(t *testing.T) {
	cpus, err := uv.CPUInfo()
	require.NoError(t, err)
	require.NotEmpty(t, cpus)
	var models []string
	count := 0
	for line := range strings.Lines(proc(t, "/proc/cpuinfo")) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			models = append(models, strings.TrimSpace(v))
		}
	}
	for line := range strings.Lines(proc(t, "/proc/stat")) {
		if len(line) > 3 && strings.HasPrefix(line, "cpu") && line[3] >= '0' && line[3] <= '9' {
			count++
		}
	}
	require.Len(t, cpus, count)
	for i, c := range cpus {
		if len(models) == len(cpus) {
			require.Equal(t, models[i], c.Model)
		}
		require.Positive(t, c.Idle+c.User)
		up, err := uv.Uptime()
		require.NoError(t, err)
		require.Less(t, c.Idle, 2*up+patience)
	}
	require.GreaterOrEqual(t, uv.AvailableParallelism(), 1)
	require.LessOrEqual(t, uv.AvailableParallelism(), runtime.NumCPU())
}

func TestInterfaces(t *testing.T) {
	t.Run("addresses", func(t *testing.T) {
		all, err := uv.InterfaceAddresses()
		require.NoError(t, err)
		got := map[string]bool{}
		for _, a := range all {
			got[a.Name+" "+a.Prefix.String()] = true
			require.True(t, a.Prefix.IsValid())
			require.Empty(t, a.Prefix.Addr().Zone())
			i, err := net.InterfaceByName(a.Name)
			require.NoError(t, err)
			require.Equal(t, i.Flags&net.FlagLoopback != 0, a.Internal)
			if len(i.HardwareAddr) == 6 {
				require.Equal(t, i.HardwareAddr, a.HardwareAddr)
			}
		}
		want := map[string]bool{}
		ifs, err := net.Interfaces()
		require.NoError(t, err)
		for _, i := range ifs {
			if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 {
				continue
			}
			addrs, err := i.Addrs()
			require.NoError(t, err)
			for _, a := range addrs {
				want[i.Name+" "+netip.MustParsePrefix(a.String()).String()] = true
			}
		}
		require.Equal(t, want, got)
	})
	t.Run("names", func(t *testing.T) {
		ifs, err := net.Interfaces()
		require.NoError(t, err)
		for _, i := range ifs {
			name, err := uv.IfName(i.Index)
			require.NoError(t, err)
			require.Equal(t, i.Name, name)
			id, err := uv.IfID(i.Index)
			require.NoError(t, err)
			require.Equal(t, i.Name, id)
		}
		for _, index := range []int{0, -1, 1 << 20, math.MaxInt, math.MinInt} {
			_, err := uv.IfName(index)
			require.ErrorIs(t, err, syscall.ENXIO)
			_, err = uv.IfID(index)
			require.ErrorIs(t, err, syscall.ENXIO)
			require.ErrorContains(t, err, strconv.Itoa(index))
		}
	})
}

func TestPaths(t *testing.T) {
	t.Run("ExePath", func(t *testing.T) {
		want, err := os.Executable()
		require.NoError(t, err)
		got, err := uv.ExePath()
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("Cwd", func(t *testing.T) {
		deep := t.TempDir()
		for range 10 { // longer than a first guess
			deep = filepath.Join(deep, strings.Repeat("d", 200))
		}
		require.NoError(t, os.MkdirAll(deep, 0o700))
		t.Chdir(deep)
		got, err := uv.Cwd()
		require.NoError(t, err)
		want, err := filepath.EvalSymlinks(deep)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.NoError(t, os.Remove(deep))
		_, err = uv.Cwd()
		require.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("HomeDir", func(t *testing.T) {
		t.Setenv("HOME", "/some/where")
		got, err := uv.HomeDir()
		require.NoError(t, err)
		require.Equal(t, "/some/where", got)
		require.NoError(t, os.Unsetenv("HOME"))
		u, err := uv.Passwd()
		require.NoError(t, err)
		got, err = uv.HomeDir()
		require.NoError(t, err)
		require.Equal(t, u.HomeDir, got)
	})
	t.Run("TmpDir", func(t *testing.T) {
		names := []string{"TMPDIR", "TMP", "TEMP", "TEMPDIR"}
		for _, name := range names {
			t.Setenv(name, "/of/"+name+"/")
		}
		for _, name := range names {
			got, err := uv.TmpDir()
			require.NoError(t, err)
			require.Equal(t, "/of/"+name, got)
			require.NoError(t, os.Unsetenv(name))
		}
		got, err := uv.TmpDir()
		require.NoError(t, err)
		require.Equal(t, "/tmp", got)
		t.Setenv("TEMP", "/")
		got, err = uv.TmpDir()
		require.NoError(t, err)
		require.Equal(t, "/", got)
	})
	t.Run("the environment changes meanwhile", func(t *testing.T) {
		t.Setenv("HOME", "/a")
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					os.Setenv("UV_TEST_"+strconv.Itoa(i%200), strings.Repeat("x", i%100))
				}
			}
		}()
		for range 2000 {
			got, err := uv.HomeDir()
			require.NoError(t, err)
			require.Equal(t, "/a", got)
			_, err = uv.TmpDir()
			require.NoError(t, err)
		}
		close(stop)
		<-done
		for i := range 200 {
			os.Unsetenv("UV_TEST_" + strconv.Itoa(i))
		}
	})
}

func TestNamesOfTheSystem(t *testing.T) {
	t.Run("Hostname", func(t *testing.T) {
		want, err := os.Hostname()
		require.NoError(t, err)
		got, err := uv.Hostname()
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
	t.Run("Uname", func(t *testing.T) {
		u, err := uv.Uname()
		require.NoError(t, err)
		require.True(t, strings.EqualFold(runtime.GOOS, u.Sysname), u.Sysname)
		require.Equal(t, strings.TrimSpace(proc(t, "/proc/sys/kernel/osrelease")), u.Release)
		require.Equal(t, strings.TrimSpace(proc(t, "/proc/sys/kernel/version")), u.Version)
		require.NotEmpty(t, u.Machine)
	})
	t.Run("Passwd", func(t *testing.T) {
		want, err := user.LookupId(strconv.Itoa(os.Geteuid()))
		require.NoError(t, err)
		got, err := uv.Passwd()
		require.NoError(t, err)
		require.Equal(t, want.Username, got.Username)
		require.Equal(t, want.HomeDir, got.HomeDir)
		require.Equal(t, want.Uid, strconv.Itoa(got.UID))
		require.Equal(t, want.Gid, strconv.Itoa(got.GID))
		again, err := uv.PasswdByUID(got.UID)
		if hasSince(t, 45, err) {
			require.NoError(t, err)
			require.Equal(t, got, again)
			_, err = uv.PasswdByUID(987654321)
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		for _, uid := range []int{-1, math.MinInt, math.MaxUint32, math.MaxInt} {
			_, err = uv.PasswdByUID(uid)
			require.ErrorIs(t, err, uv.EINVAL)
			_, err = uv.GroupByGID(uid)
			require.ErrorIs(t, err, uv.EINVAL)
		}
	})
	t.Run("GroupByGID", func(t *testing.T) {
		for _, gid := range []int{0, os.Getegid()} {
			want, err := user.LookupGroupId(strconv.Itoa(gid))
			if err != nil {
				continue
			}
			got, err := uv.GroupByGID(gid)
			if !hasSince(t, 45, err) {
				return
			}
			require.NoError(t, err)
			require.Equal(t, want.Name, got.Name)
			require.Equal(t, gid, got.GID)
		}
		_, err := uv.GroupByGID(987654321)
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestPriority(t *testing.T) {
	want, err := syscall.Getpriority(syscall.PRIO_PROCESS, os.Getpid())
	require.NoError(t, err)
	want = 20 - want // the system call counts the other way round
	if runtime.GOOS != "linux" {
		want = 20 - want
	}
	for range 50 { // on whichever thread
		for _, pid := range []int{0, os.Getpid()} {
			got, err := uv.Priority(pid)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		runtime.Gosched()
	}
	for _, pid := range []int{math.MaxInt, 1 << 30, -5, math.MinInt} {
		_, err = uv.Priority(pid)
		require.ErrorIs(t, err, syscall.ESRCH)
		require.ErrorIs(t, uv.SetPriority(pid, 1), syscall.ESRCH)
	}
	for _, n := range []int{-21, 20, math.MaxInt, math.MinInt} {
		require.ErrorIs(t, uv.SetPriority(0, n), uv.EINVAL)
	}
	require.NoError(t, uv.SetPriority(0, want), "no change is allowed")
	require.Equal(t, "19\n", inChild(t, "priority"))
}

// childPriority becomes the last in line, which nobody is refused.
func childPriority() error {
	if err := uv.SetPriority(0, 19); err != nil {
		return err
	}
	n, err := uv.Priority(os.Getpid())
	fmt.Println(n)
	return err
}

func TestRusage(t *testing.T) {
	var was, is syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &was))
	u, err := uv.Rusage()
	require.NoError(t, err)
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &is))
	between := func(before, got, after int64, what string) {
		t.Helper()
		assert.LessOrEqual(t, before, got, what)
		assert.LessOrEqual(t, got, after, what)
	}
	between(was.Utime.Nano(), int64(u.UserTime), is.Utime.Nano(), "user time")
	between(was.Stime.Nano(), int64(u.SystemTime), is.Stime.Nano(), "system time")
	between(was.Maxrss, int64(u.MaxRSS), is.Maxrss, "memory")
	between(was.Minflt, int64(u.MinFaults), is.Minflt, "minor faults")
	between(was.Majflt, int64(u.MajFaults), is.Majflt, "major faults")
	between(was.Nvcsw, int64(u.Voluntary), is.Nvcsw, "voluntary switches")
	between(was.Nivcsw, int64(u.Involuntary), is.Nivcsw, "involuntary switches")
	between(was.Inblock, int64(u.InBlocks), is.Inblock, "blocks read")
	between(was.Oublock, int64(u.OutBlocks), is.Oublock, "blocks written")
	require.Positive(t, u.UserTime+u.SystemTime)
}

func TestLib(t *testing.T) {
	t.Run("the program itself", func(t *testing.T) {
		b, err := uv.OpenLib("")
		require.NoError(t, err)
		defer b.Close()
		p, err := b.Sym("getpid")
		require.NoError(t, err)
		require.NotNil(t, p)
		_, err = b.Sym("no_such_symbol")
		require.ErrorContains(t, err, "no_such_symbol")
		q, err := b.Sym("getpid")
		require.NoError(t, err)
		require.Equal(t, p, q)
		_, err = b.Sym("get\x00pid")
		require.ErrorIs(t, err, uv.EINVAL)
		b.Close()
		b.Close()
		_, err = b.Sym("getpid")
		require.ErrorIs(t, err, uv.ErrClosed)
	})
	t.Run("failures", func(t *testing.T) {
		none := filepath.Join(t.TempDir(), "none.so")
		_, err := uv.OpenLib(none)
		require.ErrorContains(t, err, none)
		var e *uv.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, none, e.Addr)
		require.Equal(t, "dlopen", e.Op)
		_, err = uv.OpenLib(os.DevNull)
		require.ErrorContains(t, err, os.DevNull)
		_, err = uv.OpenLib("libc\x00.so")
		require.ErrorIs(t, err, uv.EINVAL)
	})
	t.Run("from many goroutines", func(t *testing.T) {
		done := make(chan struct{})
		for range 8 {
			go func() {
				defer func() { done <- struct{}{} }()
				for range 100 {
					b, err := uv.OpenLib("")
					if assert.NoError(t, err) {
						_, err = b.Sym("no_such_symbol")
						assert.ErrorContains(t, err, "no_such_symbol")
						b.Close()
					}
				}
			}()
		}
		for range 8 {
			<-done
		}
	})
}
