package asyncio

import "syscall"

const sendFlags = syscall.MSG_NOSIGNAL

func acceptNonblock(fd int) (int, syscall.Sockaddr, error) {
	return syscall.Accept4(fd, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
}
