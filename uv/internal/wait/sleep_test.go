//go:build unix

package wait

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSleep(t *testing.T) {
	wake := func(s *Sleep) [2]bool {
		waiter, descriptor := s.Wake()
		return [2]bool{waiter, descriptor}
	}
	nothing, waiter, descriptor := [2]bool{}, [2]bool{true, false}, [2]bool{false, true}

	t.Run("who is awake needs no end of a wait", func(t *testing.T) {
		var s Sleep
		require.False(t, s.Woken())
		require.Equal(t, nothing, wake(&s))
		require.True(t, s.Woken())
	})
	t.Run("who was woken does not go to sleep", func(t *testing.T) {
		var s Sleep
		wake(&s)
		require.False(t, s.begin())
		s.Forget()
		require.False(t, s.Woken())
		require.True(t, s.begin())
	})
	t.Run("the first wake-up ends the wait", func(t *testing.T) {
		s := Sleep{Base: time.Now()}
		require.True(t, s.begin())
		require.Equal(t, waiter, wake(&s))
		require.Equal(t, nothing, wake(&s))
		s.end()
		s.Forget()
		require.Equal(t, nothing, wake(&s))
		_, until := s.Total()
		require.Positive(t, until)
		require.LessOrEqual(t, until, s.Clock())
	})
	t.Run("embedded", func(t *testing.T) {
		var s Sleep
		s.Embed()
		require.Equal(t, descriptor, wake(&s))
		require.Equal(t, nothing, wake(&s))
		s.Forget()
		require.True(t, s.begin())
		require.Equal(t, descriptor, wake(&s), "the descriptor ends a wait of its own too")
	})
}

// Of any number of producers one has to end a wait, and none if the loop does not wait.
func TestSleepOfManyProducers(t *testing.T) {
	s := Sleep{Base: time.Now()}
	slept := 0
	for range 2000 {
		ends := make(chan struct{}, 4)
		var producers sync.WaitGroup
		for range cap(ends) {
			producers.Go(func() {
				if waiter, _ := s.Wake(); waiter {
					ends <- struct{}{}
				}
			})
		}
		want := 0
		if s.begin() {
			want = 1
			<-ends
			ends <- struct{}{}
			require.True(t, s.Woken())
			s.end()
		}
		producers.Wait()
		require.Len(t, ends, want)
		s.Forget()
		slept += want
	}
	require.Positive(t, slept)
}
