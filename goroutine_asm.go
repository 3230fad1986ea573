//go:build amd64 || arm64

package asyncio

// goroutineSelf identifies the goroutine that calls it, as long as that lives.
func goroutineSelf() uintptr
