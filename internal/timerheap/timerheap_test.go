package timerheap

import (
	"math/rand/v2"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

type alarm struct {
	Timer
	order int // of its last Arm
}

func TestEmpty(t *testing.T) {
	var h Heap[*alarm]
	_, ok := h.Next()
	require.False(t, ok)
	_, ok = h.PopDue(1 << 62)
	require.False(t, ok)
	require.False(t, h.Disarm(new(alarm)))
	require.Zero(t, h.Len())
}

// Random arming, disarming and popping agrees with a sorted slice at every step.
func TestAgainstSortedSlice(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var h Heap[*alarm]
		alarms := make([]alarm, 300)
		var model []*alarm
		drop := func(a *alarm) {
			for i := range model {
				if model[i] == a {
					model = append(model[:i], model[i+1:]...)
					return
				}
			}
		}
		for step := range 600 {
			a := &alarms[rng.IntN(len(alarms))]
			switch k := rng.IntN(7); {
			case k < 4:
				drop(a)
				a.order = step
				h.Arm(a, rng.Int64N(40))
				model = append(model, a)
			case k < 6:
				require.Equal(t, a.Armed(), h.Disarm(a))
				drop(a)
			default:
				got, ok := h.PopDue(20)
				if len(model) == 0 || model[0].When() > 20 {
					require.False(t, ok)
				} else {
					require.Same(t, model[0], got)
					model = model[1:]
				}
			}
			sort.Slice(model, func(i, j int) bool {
				x, y := model[i], model[j]
				return x.When() < y.When() || (x.When() == y.When() && x.order < y.order)
			})
			require.Equal(t, len(model), h.Len())
			when, ok := h.Next()
			require.Equal(t, len(model) > 0, ok)
			if ok {
				require.Equal(t, model[0].When(), when)
			}
		}
	}
}

func TestNoAllocationOnceGrown(t *testing.T) {
	var h Heap[*alarm]
	alarms := make([]alarm, 100)
	cycle := func() {
		for i := range alarms {
			h.Arm(&alarms[i], int64(i*37%100))
		}
		for i := range alarms {
			h.Disarm(&alarms[i])
		}
	}
	cycle()
	require.Zero(t, testing.AllocsPerRun(10, cycle))
}

// The usual timer: armed far in the future and disarmed before it is due, among ten
// thousand others.
func BenchmarkArmDisarm(b *testing.B) {
	var h Heap[*alarm]
	others := make([]alarm, 10_000)
	for i := range others {
		h.Arm(&others[i], int64(i))
	}
	var a alarm
	b.ReportAllocs()
	for b.Loop() {
		h.Arm(&a, 5_000)
		h.Disarm(&a)
	}
}
