//go:build unix

package wait

import "time"

// pace is how quickly events come, judged by the mean of the waits. An opinion begins
// when the mean falls below one limit and ends when it rises to another, larger one.
//
//	opinion  begins below  ends at
//	short    500 us        1 ms
//	tiny     50 us         100 us
type pace struct {
	mean  time.Duration // the recent waits count most
	short bool          // waits are too short to park while a P is idle
	tiny  bool          // waits are too short for anybody to miss the P
}

const (
	shortMeanBegin = 500 * time.Microsecond
	shortMeanEnd   = time.Millisecond
	tinyMeanBegin  = 50 * time.Microsecond
	tinyMeanEnd    = 100 * time.Microsecond

	paceWaitMax = 4 * time.Millisecond // what a longer wait counts as; two of them end both opinions
	paceShare   = 8                    // one wait's share in the mean is 1/paceShare
)

// note takes in a wait.
func (p *pace) note(took time.Duration) {
	p.mean += (min(took, paceWaitMax) - p.mean) / paceShare
	p.short = p.below(p.short, shortMeanBegin, shortMeanEnd)
	p.tiny = p.below(p.tiny, tinyMeanBegin, tinyMeanEnd)
}

// below reports whether an opinion that was held before, or not, is held now.
func (p *pace) below(held bool, begin, end time.Duration) bool {
	if held {
		return p.mean < end
	}
	return p.mean < begin
}
