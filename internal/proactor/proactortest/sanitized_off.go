//go:build !asan && !race

package proactortest

// sanitized reports whether a sanitizer allocates memory of its own.
const sanitized = false
