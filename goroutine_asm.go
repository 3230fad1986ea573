//go:build amd64 || arm64

package asyncio

// goroutineSelf identifies the goroutine that calls it, as long as that lives.
func goroutineSelf() uintptr

// goroutineWord is the word at offset of the runtime's descriptor of the goroutine that
// calls it.
func goroutineWord(offset uintptr) uintptr
