//go:build unix && !linux

package wait

// tick is needed only where a netpoll is found.
type tick struct{ loop Loop }

func (*tick) set() {}
