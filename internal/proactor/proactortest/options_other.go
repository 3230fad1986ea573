//go:build !linux

package proactortest

import (
	"net"
	"testing"
)

// The kernel cannot be asked here. That the option is taken was seen by the caller.
func requireBacklog(*testing.T, int, int) {}
func requireWaiting(*testing.T, int, int) {}

func requireReuseAddr(*testing.T, int, bool) {}

func spoil(t *testing.T, _ int) {
	t.Skip("what a spoilt descriptor does differs between systems")
}

func makeDeaf(t *testing.T, _ net.Listener) {
	t.Skip("what a full backlog does differs between systems")
}
