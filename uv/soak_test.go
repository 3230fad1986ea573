//go:build cgo && check

package uv_test

// soak tells that the tests may take long.
const soak = true
