package asynciotest

import "time"

// SettleSoon makes leaks count soon, for tests that leave some, until restore is called.
func SettleSoon() (restore func()) {
	before := settleLimit
	settleLimit = 20 * time.Millisecond
	return func() { settleLimit = before }
}
