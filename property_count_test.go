//go:build !check

package asyncio_test

// How many random programs run on each driver, and the seed of the first; on the next
// driver it is one more. 0: a new one every time.
const (
	randomProgramCount = 500
	randomProgramSeed  = 1
)
