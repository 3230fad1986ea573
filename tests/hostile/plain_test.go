//go:build !race && !asan

package hostile_test

const sanitized = false
