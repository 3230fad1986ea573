package asyncio

// The choice of what a loop runs on. The two drivers behave alike; docs/divergences.md
// lists where they cannot.

import (
	"fmt"
	"os"
	"sync/atomic"

	"github.com/seed-a026a017/asyncio/internal/proactor"
	"github.com/seed-a026a017/asyncio/internal/proactor/goproactor"
)

// Driver names a proactor. Libuv is the default where cgo is on, PureGo where it is off.
type Driver int

const (
	// Libuv runs the loop on libuv.
	Libuv Driver = iota
	// PureGo runs the loop on package net, without cgo.
	PureGo
)

func (d Driver) String() string {
	switch d {
	case Libuv:
		return "libuv"
	case PureGo:
		return "purego"
	}
	return fmt.Sprintf("Driver(%d)", int(d))
}

// installed is the Driver that Install chose, plus one; 0: none.
var installed atomic.Int32

// Install makes d the default of loops that are made from now on: uvloop.install().
func Install(d Driver) { installed.Store(int32(d) + 1) }

func defaultDriver() Driver {
	if d := installed.Load(); d != 0 {
		return Driver(d - 1)
	}
	if os.Getenv("ASYNCIO_DRIVER") == PureGo.String() {
		return PureGo
	}
	return builtinDriver
}

func newProactor(d Driver, lockedThread bool) (proactor.Proactor, error) {
	switch d {
	case Libuv:
		return newLibuv(lockedThread)
	case PureGo:
		return goproactor.New()
	}
	return nil, fmt.Errorf("asyncio: there is no driver %d: use Libuv or PureGo", int(d))
}
