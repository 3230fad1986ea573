//go:build !linux && !darwin

package proactortest

// Where the kernel cannot be asked like this, the cases check what the driver itself
// says.

import (
	"net"
	"testing"
)

func openDescriptors() []string                              { return nil }
func requireOpen(*testing.T, int, bool)                      {}
func socketPair(*testing.T) (a, b net.Conn)                  { return nil, nil }
func requireNoDelay(*testing.T, int)                         {}
func requireKeepAlive(*testing.T, int, bool)                 {}
func setReceiveBuffer(*testing.T, int, int)                  {}
func shrinkBuffers(t *testing.T, _ *recorder, peer peerConn) { _ = peer.SetReadBuffer(128 << 10) }

func withoutStdin(_ *testing.T, f func()) { f() }

func withoutDescriptors(t *testing.T, f func()) { withDescriptors(t, 0, f) }

// withDescriptors has no limit to lower here.
func withDescriptors(t *testing.T, _ int, _ func()) {
	t.Skip("this system has no limit of descriptors that a process can lower")
}
