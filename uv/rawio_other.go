//go:build cgo && !linux

package uv

// Here the bridge reads and writes bulk too.

const haveRawIO = false

func rawRead(int, []byte) int { return 0 }

func rawWrite(int, []byte) int { return 0 }
