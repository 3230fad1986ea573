//go:build cgo

package tidy_test

const cgoOn = true
