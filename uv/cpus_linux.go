//go:build cgo

package uv

// Processors, as /proc and /sys tell of them. libuv reads the same, but ends the process
// if /proc/stat, which it reads twice, cannot be read again.

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the kernel's unit of time in /proc, on every architecture that Go runs on.
const tick = 10 * time.Millisecond

func cpuInfo() ([]CPU, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, unread(err)
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil, unread(err)
	}
	cpus := cpuTimes(string(stat))
	describeCPUs(cpus, string(info))
	for i := range cpus {
		if cpus[i].MHz == 0 {
			cpus[i].MHz = cpuMHz(i)
		}
	}
	return cpus, nil
}

func unread(err error) error {
	errno := syscall.EIO
	errors.As(err, &errno)
	return systemError("cpu_info", int(FromSyscall(errno)))
}

// cpuTimes reads the lines "cpuN user nice system idle iowait irq ...".
func cpuTimes(stat string) (cpus []CPU) {
	for line := range strings.Lines(stat) {
		f := strings.Fields(line)
		if len(f) < 7 || !strings.HasPrefix(f[0], "cpu") || f[0] == "cpu" {
			continue
		}
		at := func(i int) time.Duration {
			n, _ := strconv.ParseInt(f[i], 10, 64) // the kernel writes no others
			return time.Duration(n) * tick
		}
		cpus = append(cpus, CPU{User: at(1), Nice: at(2), Sys: at(3), Idle: at(4), IRQ: at(6)})
	}
	return cpus
}

// describeCPUs reads lines "key : value" in the order of the processors. One of which
// there is none has the model of the one before.
func describeCPUs(cpus []CPU, info string) {
	models, speeds := 0, 0
	for line := range strings.Lines(info) {
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "model name", "cpu model":
			if models < len(cpus) {
				cpus[models].Model = value
				models++
			}
		case "cpu MHz":
			if mhz, err := strconv.ParseFloat(value, 64); err == nil && speeds < len(cpus) {
				cpus[speeds].MHz = int(mhz)
				speeds++
			}
		}
	}
	model := "unknown"
	for i := range cpus {
		if cpus[i].Model == "" {
			cpus[i].Model = model
		}
		model = cpus[i].Model
	}
}

// cpuMHz asks the driver of the processor, which need not tell.
func cpuMHz(i int) int {
	text, err := os.ReadFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", i))
	if err != nil {
		return 0
	}
	khz, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 is not known
	return khz / 1000
}
