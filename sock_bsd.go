//go:build darwin || freebsd

package asyncio

import "syscall"

const sendFlags = 0

// acceptNonblock keeps a fork of another goroutine's from taking the descriptor along.
func acceptNonblock(fd int) (int, syscall.Sockaddr, error) {
	syscall.ForkLock.RLock()
	conn, from, err := syscall.Accept(fd)
	if err == nil {
		syscall.CloseOnExec(conn)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, nil, err
	}
	if err := syscall.SetNonblock(conn, true); err != nil {
		_ = syscall.Close(conn)
		return -1, nil, err
	}
	return conn, from, nil
}
