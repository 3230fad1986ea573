//go:build !linux && !darwin

package proactortest

// Where the kernel cannot be asked like this, the cases check what the driver itself
// says.

import (
	"net"
	"os"
	"syscall"
	"testing"
)

func openDescriptors() []string                              { return nil }
func requireOpen(*testing.T, int, bool)                      {}
func socketPair(*testing.T) (a, b net.Conn)                  { return nil, nil }
func requireNoDelay(*testing.T, int)                         {}
func requireKeepAlive(*testing.T, int, bool)                 {}
func requireBroadcast(*testing.T, int, bool)                 {}
func setReceiveBuffer(*testing.T, int, int)                  {}
func shrinkBuffers(t *testing.T, _ *recorder, peer peerConn) { _ = peer.SetReadBuffer(128 << 10) }

const usr1, usr2 = syscall.SIGINT, syscall.SIGTERM

func raise(t *testing.T, _ syscall.Signal) { t.Skip("a process cannot send itself signals here") }

func withStdin(t *testing.T, _ *os.File, _ func(*os.File)) { noWatches(t) }

func withoutStdin(_ *testing.T, f func()) { f() }

func withoutDescriptors(t *testing.T, f func()) { withDescriptors(t, 0, f) }

// withDescriptors has no limit to lower here.
func withDescriptors(t *testing.T, _ int, _ func()) {
	t.Skip("this system has no limit of descriptors that a process can lower")
}

// The descriptors of a program's own, which cannot be watched here.

func noWatches(t *testing.T) { t.Skip("this system cannot watch descriptors") }

func rawPair(t *testing.T) (a, b int)             { noWatches(t); return 0, 0 }
func rawPipe(t *testing.T) (read, write int)      { noWatches(t); return 0, 0 }
func rawPath(t *testing.T) string                 { noWatches(t); return "" }
func filePair(t *testing.T) (a, b *os.File)       { noWatches(t); return nil, nil }
func fifo(t *testing.T) string                    { noWatches(t); return "" }
func rawFile(t *testing.T) int                    { noWatches(t); return 0 }
func rawDup(t *testing.T, _ int) int              { noWatches(t); return 0 }
func rawConnect(t *testing.T, _ *net.TCPAddr) int { noWatches(t); return 0 }
func rawRead(*testing.T, int) string              { return "" }
func rawClose(*testing.T, int)                    {}
func rawWrite(*testing.T, int, string)            {}
func rawFill(*testing.T, int)                     {}
func rawError(*testing.T, int, syscall.Errno)     {}
func rawBlocking(*testing.T, int, bool)           {}
func requireBlocking(*testing.T, int, bool)       {}

func rawKill(int) error              { return syscall.ESRCH }
func rawSession(*testing.T, int) int { return 0 }
