//go:build unix && !linux

package wait

// netpoll is the runtime's network poller, which is found on Linux only. Where it is not,
// a loop holds its P only while another one is idle.
type netpoll int

func findNetpoll(watched int) netpoll { return -1 }

func (netpoll) ready() bool { return false }
