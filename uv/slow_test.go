//go:build cgo && (race || asan || msan)

package uv_test

// slow tells that the tests are instrumented: they do less, and take no times.
const slow = true
