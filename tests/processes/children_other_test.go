//go:build unix && !linux

package processes_test

// haveChildren is not known here.
func haveChildren() bool { return false }
