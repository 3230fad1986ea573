//go:build cgo

package uv

// How long a name is in ASCII. libuv writes international names so (RFC 3492) before it
// asks for them, in a buffer of a fixed size; before 1.48 it cut what did not fit.

import "strings"

// asciiLen is the length of host in ASCII, in bytes.
func asciiLen(host string) int {
	n, label := 0, []rune(nil)
	for _, r := range host {
		if !strings.ContainsRune(".\u3002\uff0e\uff61", r) {
			label = append(label, r)
			continue
		}
		n += labelLen(label) + 1
		label = label[:0]
	}
	return n + labelLen(label)
}

// labelLen is what asciiLen says of one label. The names are those of the RFC.
func labelLen(label []rune) int {
	basic := 0
	for _, r := range label {
		if r < 0x80 {
			basic++
		}
	}
	if basic == len(label) {
		return basic
	}
	length := len("xn--") + basic + min(1, basic)
	delta, bias, handled := 0, 72, basic
	for n := rune(0x80); handled < len(label); n++ {
		next := rune(0x10ffff)
		for _, r := range label {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, r := range label {
			switch {
			case r < n:
				delta++
			case r == n:
				length += digits(delta, bias)
				bias = adapt(delta, handled+1, handled == basic)
				delta = 0
				handled++
			}
		}
		delta++
	}
	return length
}

// digits is how many of base 36 a delta takes.
func digits(delta, bias int) int {
	for k, n := 36, 1; ; k, n = k+36, n+1 {
		t := min(max(k-bias, 1), 26)
		if delta < t {
			return n
		}
		delta = (delta - t) / (36 - t)
	}
}

func adapt(delta, points int, first bool) int {
	delta /= 2
	if first {
		delta /= 350 // 700 in all
	}
	delta += delta / points
	k := 0
	for ; delta > 455; k += 36 {
		delta /= 35
	}
	return k + 36*delta/(delta+38)
}
