package report

import (
	"math"
	"strconv"
	"strings"
)

// number writes a figure with about three digits, and commas between the thousands.
func number(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 999.5:
		return thousands(int64(math.Round(v)))
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case math.Abs(v) >= 0.095:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
}

// trimmed writes a round figure without zeros at its end, as an axis has them.
func trimmed(v float64) string {
	if v >= 1000 {
		return thousands(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

// duration writes a round number of microseconds.
func duration(us float64) string {
	switch {
	case us >= 1e6:
		return trimmed(us/1e6) + " s"
	case us >= 1e3:
		return trimmed(us/1e3) + " ms"
	default:
		return trimmed(us) + " us"
	}
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	var parts []string
	for len(s) > 3 {
		parts = append([]string{s[len(s)-3:]}, parts...)
		s = s[:len(s)-3]
	}
	return strings.Join(append([]string{s}, parts...), ",")
}
