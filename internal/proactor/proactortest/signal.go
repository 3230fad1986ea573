package proactortest

// Cases about WatchSignal.

import (
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/stretchr/testify/require"
)

// signalled is a watch that counts.
type signalled struct {
	heard int
	stop  func()
}

func (r *rig) watchSignal(sig syscall.Signal, then func()) *signalled {
	r.t.Helper()
	s := new(signalled)
	stop, err := r.p.WatchSignal(sig, func() {
		defer r.handler("a signal")()
		s.heard++
		if then != nil {
			then()
		}
	})
	require.NoError(r.t, err)
	s.stop = stop
	r.t.Cleanup(stop)
	return s
}

// witness is told of a signal by os/signal, after the case's watches. With it the default
// is not done.
func (r *rig) witness(sig syscall.Signal) chan os.Signal {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, sig)
	r.t.Cleanup(func() { signal.Stop(heard) })
	return heard
}

var signalCases = []testCase{
	{name: "every watch hears of its signal", run: func(r *rig) {
		a, b := r.watchSignal(usr1, nil), r.watchSignal(usr1, nil)
		other := r.watchSignal(usr2, nil)
		raise(r.t, usr1)
		require.Zero(r.t, a.heard, "no handler runs outside of Poll")
		r.until("both", func() bool { return a.heard == 1 && b.heard == 1 })
		a.stop()
		a.stop()
		raise(r.t, usr1)
		r.until("the other one", func() bool { return b.heard == 2 })
		require.Equal(r.t, 1, a.heard)
		require.Zero(r.t, other.heard)
	}},
	{name: "signals are heard in the order in which they came", run: func(r *rig) {
		var order []syscall.Signal
		sigs := []syscall.Signal{usr2, usr1, syscall.SIGHUP}
		for _, sig := range sigs {
			r.watchSignal(sig, func() { order = append(order, sig) })
		}
		for i, sig := range sigs {
			raise(r.t, sig)
			r.until("the signal", func() bool { return len(order) == i+1 })
		}
		require.Equal(r.t, sigs, order)
	}},
	{name: "signals that come at once are one or several", run: func(r *rig) {
		s := r.watchSignal(usr1, nil)
		for range 1000 {
			raise(r.t, usr1)
		}
		r.until("one", func() bool { return s.heard > 0 })
		before := s.heard
		r.settle()
		raise(r.t, usr1)
		r.until("another one", func() bool { return s.heard > before })
		require.LessOrEqual(r.t, s.heard, 1001)
	}},
	{name: "a signal wakes a Poll, and waits for one", run: func(r *rig) {
		s := r.watchSignal(usr1, nil)
		witness := r.witness(usr1)
		raise(r.t, usr1)
		<-witness
		r.until("what came before", func() bool { return s.heard == 1 })
		r.spawn(func() { raise(r.t, usr1) })
		r.until("what comes", func() bool { return s.heard == 2 })
	}},
	{name: "stop in the handler, and of another watch", run: func(r *rig) {
		r.witness(usr1)
		var a, b *signalled
		a = r.watchSignal(usr1, func() { a.stop(); b.stop() })
		b = r.watchSignal(usr1, func() { a.stop(); b.stop() })
		raise(r.t, usr1)
		r.until("one of them", func() bool { return a.heard+b.heard > 0 })
		raise(r.t, usr1)
		r.settle()
		require.Equal(r.t, 1, a.heard+b.heard)
	}},
	{name: "stop before the Poll", run: func(r *rig) {
		witness := r.witness(usr1)
		s := r.watchSignal(usr1, nil)
		raise(r.t, usr1)
		<-witness
		s.stop()
		r.settle()
		require.Zero(r.t, s.heard)
	}},
	{name: "Close ends the watches", run: func(r *rig) {
		witness := r.witness(usr1)
		s := r.watchSignal(usr1, nil)
		raise(r.t, usr1)
		<-witness
		r.close()
		raise(r.t, usr1)
		<-witness
		require.Zero(r.t, s.heard)
		s.stop()
		_, err := r.p.WatchSignal(usr1, func() {})
		require.ErrorIs(r.t, err, net.ErrClosed)
	}},
	{name: "what nobody can hear of", run: func(r *rig) {
		for _, sig := range []syscall.Signal{-1, 0, syscall.SIGKILL, syscall.SIGSEGV, 1000} {
			_, err := r.p.WatchSignal(sig, func() {})
			require.ErrorIs(r.t, err, syscall.EINVAL, "%d", sig)
		}
	}},
}
