//go:build cgo

package uv

// Datagram sockets of the Unix domain. OpenFD takes one that somebody else has made and,
// if need be, bound and connected. Its addresses are paths, or with a leading "@" names
// in Linux's abstract name space, as of Pipe.

import (
	"bytes"
	"net/netip"
	"strings"
	"syscall"
)

// unixPathAt is where the path begins in the system's form of an address.
const unixPathAt = 2

// RecvStartUnix is RecvStart for a Unix socket: from is the sender's path, "" if it has
// none.
func (u *UDP) RecvStartUnix(cb func(d Datagram, from string, err error)) error {
	if err := u.mayRecv("UDP.RecvStartUnix", cb == nil); err != nil {
		return err
	}
	u.recv, u.recvUnix = nil, cb
	return nil
}

// SendUnix is Send for a Unix socket. to is "" for the peer of a connected one. A
// datagram for which the receiver has no room waits, and is offered again every
// millisecond unless the socket is connected. The errors are also EINVAL for a path with
// a NUL, and if the socket is not of the Unix domain, and ENAMETOOLONG.
func (u *UDP) SendUnix(p []byte, to string, done func(error)) error {
	if err := u.check("UDP.SendUnix"); err != nil {
		return err
	}
	var buf [syscall.SizeofSockaddrUnix]byte
	sa, code := u.unixDestination(to, buf[:])
	if code != 0 {
		return &Error{Op: "send", Kind: UDPHandle, Addr: to, Errno: code}
	}
	f := done
	if done != nil && to != "" {
		f = func(err error) {
			if e, ok := err.(*Error); ok {
				e.Addr = to
			}
			done(err)
		}
	}
	u.send(p, sa, netip.AddrPort{}, f)
	return nil
}

func (u *UDP) unixDestination(to string, buf []byte) ([]byte, Errno) {
	switch {
	case u.family != syscall.AF_UNIX:
		return nil, EINVAL
	case u.connected && to == "":
		return nil, 0
	case u.connected:
		return nil, EISCONN
	case to == "":
		return nil, EDESTADDRREQ
	}
	name := path(to).system()
	n := unixPathAt + len(name)
	if name[0] != 0 {
		if strings.IndexByte(name, 0) >= 0 {
			return nil, EINVAL
		}
		n++ // the NUL at its end
	}
	if n > len(buf) {
		return nil, ENAMETOOLONG
	}
	putFamily(buf, syscall.AF_UNIX, n)
	copy(buf[unixPathAt:], name)
	return buf[:n], 0
}

// unixName is the path in the system's form of an address.
func unixName(sa []byte) string {
	if len(sa) <= unixPathAt {
		return ""
	}
	name := sa[unixPathAt:]
	if name[0] == 0 {
		return "@" + string(name[1:])
	}
	if i := bytes.IndexByte(name, 0); i >= 0 {
		name = name[:i]
	}
	return string(name)
}
