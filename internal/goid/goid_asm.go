//go:build amd64 || arm64

package goid

// Self identifies the goroutine that calls it, as long as that lives.
func Self() uintptr

// word is the word at offset of the runtime's descriptor of the goroutine that calls it.
func word(offset uintptr) uintptr

// selfAndWord is both at once.
func selfAndWord(offset uintptr) (self, word uintptr)

// wordOf is the word at offset of another goroutine's descriptor.
func wordOf(self, offset uintptr) uintptr
