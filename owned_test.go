package asyncio

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// thing is owned, and notes that it was abandoned.
type thing struct {
	at        ownedPlace
	abandoned int
}

func (o *thing) abandon(*Loop)      { o.abandoned++ }
func (o *thing) String() string     { return "a thing" }
func (o *thing) place() *ownedPlace { return &o.at }

func TestOwnedSetKnowsWhatItHolds(t *testing.T) {
	var s ownedSet
	held := make(map[*thing]bool)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 5000 {
		grows := round/1000%2 == 0 // it grows and shrinks through several pieces
		if random.IntN(10) < 3 != grows {
			o := new(thing)
			s.add(o)
			held[o] = true
		} else {
			for o := range held {
				s.remove(o)
				s.remove(o)
				delete(held, o)
				break
			}
		}
		require.Equal(t, len(held), s.count)
		require.Less(t, len(s.pieces)*ownedPieceLen, s.count+3*ownedPieceLen, "it gives memory back")
	}
	all := s.all()
	require.Len(t, all, len(held))
	for _, o := range all {
		require.True(t, held[o.(*thing)])
	}
	s.abandon(nil)
	for o := range held {
		require.Equal(t, 1, o.abandoned)
		require.Zero(t, o.at)
	}
	require.Zero(t, s.count)
}
