//go:build !cgo

package faults_test

// uvSteps is for cgo.
var uvSteps []step
