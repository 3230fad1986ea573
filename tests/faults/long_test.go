//go:build linux && amd64 && check

package faults_test

// long tells that the tests may take long.
const long = true
