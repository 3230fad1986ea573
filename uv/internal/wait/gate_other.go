//go:build unix && !linux

package wait

import "syscall"

// gate is a duplicate of the loop's descriptor, always open.
type gate struct {
	fd int
}

// openGate makes an open gate before a descriptor.
func openGate(behind int) (gate, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(behind)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return gate{}, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil {
		syscall.Close(fd)
		return gate{}, err
	}
	return gate{fd}, nil
}

func (g *gate) close() {}

func (g *gate) reopen() (ready bool) { return false }
