//go:build race || asan

package hostile_test

// sanitized: memory is not what it is without a sanitizer.
const sanitized = true
