package terminal

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// Open opens a pseudo-terminal: the descriptors of its user's end and of the program's.
func Open() (user, program int, err error) {
	const flags = syscall.O_RDWR | syscall.O_NOCTTY | syscall.O_CLOEXEC
	if user, err = syscall.Open("/dev/ptmx", flags, 0); err != nil {
		return -1, -1, os.NewSyscallError("open", err)
	}
	var lock, number int32
	err = ioctl(user, syscall.TIOCSPTLCK, unsafe.Pointer(&lock))
	if err == nil {
		err = ioctl(user, syscall.TIOCGPTN, unsafe.Pointer(&number))
	}
	if err == nil {
		program, err = syscall.Open(fmt.Sprintf("/dev/pts/%d", number), flags, 0)
	}
	if err != nil {
		_ = syscall.Close(user)
		return -1, -1, err
	}
	return user, program, nil
}

// OpenPlain opens one that passes on what it gets: it echoes nothing, and the program's
// bytes come out as they are. With lines the user's go in by the line, as they do at
// first.
func OpenPlain(lines bool) (user, program *os.File, err error) {
	u, p, err := Open()
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range []int{u, p} {
		_ = syscall.SetNonblock(fd, true) // cannot fail on a descriptor; so that package os waits
	}
	user, program = os.NewFile(uintptr(u), "user's end"), os.NewFile(uintptr(p), "program's end")
	var mode syscall.Termios
	err = ioctl(p, syscall.TCGETS, unsafe.Pointer(&mode))
	mode.Lflag &^= syscall.ECHO
	mode.Oflag &^= syscall.OPOST
	if !lines {
		mode.Lflag &^= syscall.ICANON
	}
	if err == nil {
		err = ioctl(p, syscall.TCSETS, unsafe.Pointer(&mode))
	}
	if err != nil {
		_, _ = user.Close(), program.Close()
		return nil, nil, err
	}
	return user, program, nil
}

func ioctl(fd int, request uintptr, arg unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(arg))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
