//go:build !linux

package testkit

// HaveChildren is not known here.
func HaveChildren() bool { return false }
