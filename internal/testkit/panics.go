package testkit

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// PanicError runs fn, which must panic with an error value, and returns that error.
func PanicError(t *testing.T, fn func()) error {
	t.Helper()
	v := Recovered(fn)
	require.NotNil(t, v, "it did not panic")
	err, ok := v.(error)
	require.True(t, ok, "it panicked with a %T, not with an error: %v", v, v)
	var fault runtime.Error
	require.False(t, errors.As(err, &fault), "it panicked by accident: %v", err)
	return err
}

// PanicsWith runs fn, which must panic with an error that errors.Is finds to be target.
func PanicsWith(t *testing.T, target error, fn func()) {
	t.Helper()
	require.ErrorIs(t, PanicError(t, fn), target)
}

// Recovered runs fn and returns the value of its panic, nil if there was none.
func Recovered(fn func()) (v any) {
	defer func() { v = recover() }()
	fn()
	return nil
}

// Unwinds runs fn on a goroutine of its own, which fn must end with runtime.Goexit, and
// waits for that end. Goexit is to Go what KeyboardInterrupt and SystemExit are to
// Python: no handler may keep it.
func Unwinds(t *testing.T, fn func()) {
	t.Helper()
	returned, panicked := false, any(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { panicked = recover() }()
		fn()
		returned = true
	}()
	<-done
	require.Nil(t, panicked, "it panicked")
	require.False(t, returned, "Goexit did not unwind the goroutine")
}

// ErrorSays fails the test unless the text of err contains want, whatever the case of the
// letters.
func ErrorSays(t *testing.T, err error, want string) {
	t.Helper()
	require.Error(t, err)
	require.Contains(t, strings.ToLower(err.Error()), strings.ToLower(want))
}
