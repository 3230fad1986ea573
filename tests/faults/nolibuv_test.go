//go:build linux && amd64 && !cgo

package faults_test

// uvSteps is for cgo.
var uvSteps []step
