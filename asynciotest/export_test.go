package asynciotest

import "time"

const soon = 20 * time.Millisecond

// SettleSoon makes leaks count soon, for tests that leave some, until restore is called.
func SettleSoon() (restore func()) { return set(&settleLimit, soon) }

// HangSoon makes waits hopeless soon, for tests that hang, until restore is called.
func HangSoon() (restore func()) { return set(&hangLimit, soon) }

func set(limit *time.Duration, d time.Duration) (restore func()) {
	before := *limit
	*limit = d
	return func() { *limit = before }
}
