package asyncio

import "syscall"

// peerCredentials asks the kernel who is at the other end of a Unix socket; nil: it does
// not say.
func peerCredentials(fd int) any {
	c, err := syscall.GetsockoptUcred(fd, syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	if err != nil {
		return nil
	}
	return PeerCredentials{PID: int(c.Pid), UID: int(c.Uid), GID: int(c.Gid)}
}
