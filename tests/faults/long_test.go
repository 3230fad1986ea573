//go:build check

package faults_test

// long tells that the tests may take long.
const long = true
