//go:build cgo && race

package uv_test

const raceEnabled = true
