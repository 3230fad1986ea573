//go:build !linux && !darwin && !freebsd

package goproactor

// Systems on which nothing can be watched: system.Duplicate says so.

import "syscall"

type pollFD struct{}

func newPollFD(int, directions) pollFD { return pollFD{} }

func (*pollFD) ready() directions { return 0 }

func hungUp(int) bool { return false }

func pollNow([]pollFD) {}

// whyRefused is the usual reason.
func whyRefused(int) error { return syscall.EPERM }
