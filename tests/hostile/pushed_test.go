//go:build !check

package hostile_test

// pushedBytes is what a peer sends to a reader that sleeps.
const pushedBytes = 64 << 20
