package goid

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumberIsThatOfStackTraces(t *testing.T) {
	require.Equal(t, ownNumber(), Number(Self()), "a new Go has hidden the word")
	other, leave := make(chan uintptr), make(chan struct{})
	go func() {
		other <- Self()
		<-leave
	}()
	self := <-other
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	require.True(t, bytes.Contains(stacks, fmt.Appendf(nil, "goroutine %d [", Number(self))))
	require.NotEqual(t, Number(Self()), Number(self), "it is another goroutine's")
	leave <- struct{}{}
}
