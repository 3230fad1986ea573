//go:build cgo && !linux

package uv

import (
	"time"

	"github.com/seed-a026a017/asyncio/cbridge"
)

func cpuInfo() ([]CPU, error) {
	list, code := cbridge.CPUInfo()
	if code != 0 {
		return nil, systemError("cpu_info", code)
	}
	cpus := make([]CPU, 0, len(list))
	for _, c := range list {
		ms := func(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }
		cpus = append(cpus, CPU{c.Model, c.MHz, ms(c.User), ms(c.Nice), ms(c.Sys), ms(c.Idle), ms(c.IRQ)})
	}
	return cpus, nil
}
