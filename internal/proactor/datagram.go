package proactor

// Datagrams: endpoints that send and receive messages, each with its address.
//
// An endpoint is connected to one peer, or to none:
//
//	                        connected            not connected
//	datagrams come from     the peer             anybody
//	SendTo needs            no address           an address
//	RemoteAddr              the peer             nil
//
//   - Every datagram is a whole: it comes in one call of Received, or not at all. An
//     empty one is a datagram too. One longer than DatagramMax may come cut.
//   - The kernel drops what it has no room for, on the way out and in, and tells nobody.
//   - A Poll that has brought several may bring some that came meanwhile, also such as a
//     handler of them has sent; some 64 of an endpoint in all.
//   - An error belongs to one datagram: one that was sent, or, as ECONNREFUSED, one that
//     an earlier send has caused to come back. A later Poll tells it to Failed, and the
//     endpoint lives. That includes an address that the endpoint cannot send to.
//   - Datagrams of one endpoint leave in the order of the calls of SendTo.
//   - Closed comes exactly once for every endpoint, and nothing after it.
//   - The name of a Unix socket makes a file when it is bound. No driver removes it.

import "net"

// DatagramMax is the length, in bytes, up to which datagrams are never cut: UDP's
// longest. A Unix socket's are not cut below UnixDatagramMax.
const (
	DatagramMax     = 64 << 10
	UnixDatagramMax = 256 << 10
)

// DatagramOverheadBytes is what every datagram counts for in Buffered beside its payload.
const DatagramOverheadBytes = 8

// DatagramOpener makes endpoints of datagrams.
type DatagramOpener interface {
	// OpenDatagram binds an endpoint to local and connects it to remote, each a
	// *net.UDPAddr or a *net.UnixAddr of the network "unixgram". A nil remote leaves it
	// unconnected. A nil local is any address of remote's family; over Unix it is none,
	// so nobody can answer. One of the two is given. An IPv4 address makes an IPv4
	// socket; one of IPv6 that names no host serves IPv4 too, unless V6Only. A local
	// Unix address without a name gets one from the kernel, where the system can.
	OpenDatagram(local, remote net.Addr, opt DatagramOptions) (Datagram, error)
}

// DatagramOptions says how OpenDatagram binds. Over Unix none of them has an effect.
type DatagramOptions struct {
	ReusePort bool // SO_REUSEPORT
	Broadcast bool // SO_BROADCAST
	V6Only    bool // an IPv6 socket does not serve IPv4
}

// Datagram is an endpoint.
type Datagram interface {
	SetHandler(h DatagramHandler)
	// ReadStart begins or resumes receiving. Idempotent.
	ReadStart()
	// ReadStop ends calls of Received at once. What was read already is kept for the next
	// ReadStart, in its order; the rest waits in the kernel. Idempotent.
	ReadStop()
	// SendTo queues the datagram p and takes no hold of it: p may be reused when SendTo
	// returns. Datagrams of one turn are gathered and leave at the next Poll; long ones
	// may be tried at once. addr is nil for the peer of a connected endpoint. It is not
	// kept, and a *net.UDPAddr costs no memory.
	SendTo(p []byte, addr net.Addr)
	// Flush offers the kernel now what SendTo has gathered.
	Flush()
	// Buffered counts the datagrams that the kernel has not taken: the bytes of each, and
	// DatagramOverheadBytes.
	Buffered() int
	// Close offers the kernel what is buffered, drops what it does not take, and closes
	// the descriptor, all at once. Only DatagramHandler.Closed follows; every method does
	// nothing then, Buffered is 0 and FD is -1; the addresses stay. Idempotent.
	Close()
	LocalAddr() net.Addr
	// RemoteAddr is nil if the endpoint is not connected.
	RemoteAddr() net.Addr
	// FD is the socket's descriptor, borrowed; -1 if there is none.
	FD() int
}

// DatagramHandler hears of a Datagram.
type DatagramHandler interface {
	// Received brings a datagram and who has sent it: a *net.UDPAddr or *net.UnixAddr, or
	// nil if that one has no name. b belongs to the driver and is valid until Received
	// returns. from may be kept, and is not to be changed: that of a connected endpoint
	// is RemoteAddr.
	Received(b []byte, from net.Addr)
	// Failed tells of an error. The endpoint lives.
	Failed(err error)
	// Drained tells that datagrams which Flush had left behind were taken by the kernel:
	// Buffered is smaller than before. The flush inside Poll is silent when it leaves
	// nothing behind, as for a Stream.
	Drained()
	// Closed is the last call.
	Closed()
}
