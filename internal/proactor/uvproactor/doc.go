// Package uvproactor is the proactor on libuv, as thin as it can be: package uv already
// works as the seam asks. It is empty without cgo.
package uvproactor
