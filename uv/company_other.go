//go:build cgo && !linux

package uv

// company is known on Linux only. Without it a loop keeps its processor only while there
// is one to spare.
type company struct{}

func newCompany(*Loop, int) *company { return nil }

func (*company) waits() bool { return false }

func (*company) limit() {}
