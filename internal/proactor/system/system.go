// Package system is what every driver on a real system has in common: goroutines for
// work, package os's files, and what they make of names in the same way.
package system

// System implements proactor.Worker and proactor.Filer. Drivers embed it.
type System struct{}

// Work runs fn on a goroutine of its own.
func (System) Work(fn func()) { go fn() }
