//go:build !linux

package testkit

// HandlersOffStack is not known here.
func HandlersOffStack() []string { return nil }
