//go:build !linux

package goproactor

func (w *dirWatch) begin(name string) (stop func(), err error) { return w.poll(name) }

// inotify does not exist here.
type inotify struct{}
