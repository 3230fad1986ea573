package proactortest

// Cases about watches.

import (
	"math"
	"net"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed-a026a017/asyncio/internal/proactor"
)

// watched is a WatchHandler that counts what it hears, and checks that nothing comes that
// is not wanted.
type watched struct {
	r                  *rig
	w                  proactor.Watch
	readable, writable bool // wanted
	reads, writes      int  // heard
	onReady            func()
}

func (r *rig) watch(fd int) *watched {
	r.t.Helper()
	w := &watched{r: r}
	var err error
	w.w, err = r.p.Watch(fd, w)
	require.NoError(r.t, err)
	return w
}

func (w *watched) want(readable, writable bool) {
	w.r.t.Helper()
	w.readable, w.writable = readable, writable
	require.NoError(w.r.t, w.w.Want(readable, writable))
}

func (w *watched) close() {
	w.w.Close()
	w.readable, w.writable = false, false
	require.Equal(w.r.t, -1, w.w.FD())
}

func (w *watched) Ready(readable, writable bool) {
	defer w.r.handler("Ready")()
	if !readable && !writable || readable && !w.readable || writable && !w.writable {
		w.r.t.Errorf("Ready(%v, %v), but wanted is %v, %v", readable, writable, w.readable, w.writable)
	}
	if readable {
		w.reads++
	}
	if writable {
		w.writes++
	}
	if w.onReady != nil {
		w.onReady()
	}
}

var watchCases = []testCase{
	{name: "Watch is level-triggered", run: func(r *rig) {
		a, b := rawPair(r.t)
		w := r.watch(a)
		rawWrite(r.t, b, "x")
		r.settle()
		require.Zero(r.t, w.reads, "paused")
		w.want(true, false)
		for i := range 5 {
			r.poll(proactor.Forever)
			require.Equal(r.t, i+1, w.reads, "once in every Poll")
		}
		require.Equal(r.t, "x", rawRead(r.t, a))
		r.settle()
		require.LessOrEqual(r.t, w.reads, 6)
		n := w.reads
		r.settle()
		require.Equal(r.t, n, w.reads, "nothing to read")
		rawWrite(r.t, b, "yz")
		r.until("readable again", func() bool { return w.reads > n })
		w.want(false, false)
		n = w.reads
		r.settle()
		require.Equal(r.t, n, w.reads, "paused")
		w.want(true, false)
		r.poll(proactor.Forever)
		require.Equal(r.t, n+1, w.reads)
		w.close()
		w.close()
		r.settle()
		require.Equal(r.t, n+1, w.reads, "closed")
	}},
	{name: "Watch of both directions", run: func(r *rig) {
		a, b := rawPair(r.t)
		w := r.watch(a)
		w.want(true, true)
		for i := range 3 {
			r.poll(proactor.Forever)
			require.Equal(r.t, i+1, w.writes)
			require.Zero(r.t, w.reads)
		}
		rawWrite(r.t, b, "x")
		r.until("both", func() bool { return w.reads > 0 })
		reads, writes := w.reads, w.writes
		r.poll(proactor.Forever)
		require.Equal(r.t, reads+1, w.reads)
		require.Equal(r.t, writes+1, w.writes)
		w.want(true, false)
		r.poll(proactor.Forever)
		require.Equal(r.t, reads+2, w.reads)
		w.want(false, true)
		r.poll(proactor.Forever)
		require.Equal(r.t, writes+2, w.writes)
		require.Equal(r.t, "x", rawRead(r.t, a))
		rawFill(r.t, a)
		r.poll(0)
		writes = w.writes
		r.settle()
		require.Equal(r.t, writes, w.writes, "there is no room")
		for rawRead(r.t, b) != "" {
		}
		r.until("room", func() bool { return w.writes > writes })
	}},
	{name: "what becomes ready ends a wait", run: func(r *rig) {
		a, b := rawPair(r.t)
		w := r.watch(a)
		w.want(true, false)
		w.onReady = func() { rawRead(r.t, a) }
		ready := make(chan struct{})
		r.spawn(func() {
			for range ready {
				rawWrite(r.t, b, "x")
			}
		})
		defer close(ready)
		for range 200 {
			ready <- struct{}{}
			for n := w.reads; w.reads == n; {
				require.Positive(r.t, time.Until(r.deadline), "it did not end the wait")
				r.poll(proactor.Forever)
			}
		}
	}},
	{name: "the descriptor is closed before its Watch", run: func(r *rig) {
		for _, wanted := range []bool{false, true} {
			a, b := rawPair(r.t)
			w := r.watch(a)
			w.want(wanted, false)
			r.poll(0)
			rawClose(r.t, a)
			c, d := rawPair(r.t)
			require.Equal(r.t, a, c, "the number comes back")
			rawWrite(r.t, d, "x")
			w.want(true, false)
			r.settle()
			require.Zero(r.t, w.reads, "not its file")
			rawWrite(r.t, b, "x")
			r.until("the file of the Watch", func() bool { return w.reads > 0 })
			require.Equal(r.t, "x", rawRead(r.t, w.w.FD()))
			rawClose(r.t, b)
			n := w.reads
			r.until("the end", func() bool { return w.reads > n })
			w.close()
			next := r.watch(c)
			next.want(true, false)
			r.until("the other file", func() bool { return next.reads > 0 })
			next.close()
			n = w.reads
			r.settle()
			require.Equal(r.t, n, w.reads)
			rawClose(r.t, c)
			rawClose(r.t, d)
		}
	}},
	{name: "Close leaves nothing registered", run: func(r *rig) {
		a, b := rawPair(r.t)
		keep := rawDup(r.t, a)
		rawWrite(r.t, b, "x")
		w := r.watch(a)
		w.want(true, false)
		r.poll(proactor.Forever)
		require.Equal(r.t, 1, w.reads)
		number := w.w.FD()
		require.Greater(r.t, number, 2)
		w.close()
		requireOpen(r.t, number, false)
		rawClose(r.t, a)
		c, _ := rawPair(r.t)
		next := r.watch(c)
		next.want(true, false)
		r.settle()
		require.Zero(r.t, next.reads, "the old file is readable still, and nobody watches it")
		require.Equal(r.t, "x", rawRead(r.t, keep))
		require.Equal(r.t, 1, w.reads)
	}},
	{name: "several Watches of one file", run: func(r *rig) {
		a, b := rawPair(r.t)
		all := []*watched{r.watch(a), r.watch(a), r.watch(a)}
		all[0].want(true, false)
		all[1].want(true, true)
		all[2].want(false, true)
		r.poll(proactor.Forever)
		require.Equal(r.t, []int{0, 1, 1}, []int{all[0].writes, all[1].writes, all[2].writes})
		all[1].want(true, false)
		all[2].close()
		rawWrite(r.t, b, "x")
		r.until("readable", func() bool { return all[0].reads > 0 && all[1].reads > 0 })
		all[0].close()
		n := all[1].reads
		r.poll(proactor.Forever)
		require.Equal(r.t, n+1, all[1].reads)
	}},
	{name: "Watch of a stream's own socket", eachLink: func(r *rig, l link) {
		rec, peer := r.pair(l, true)
		fd := rec.s.FD()
		if fd < 0 {
			r.t.Skip("this driver's streams have no descriptors")
		}
		require.True(r.t, r.p.Owns(fd))
		w := r.watch(fd)
		require.False(r.t, r.p.Owns(w.w.FD()), "it is no stream")
		w.want(false, true)
		r.until("room", func() bool { return w.writes > 0 })
		w.want(false, false)
		_, err := peer.Write([]byte("hello"))
		require.NoError(r.t, err)
		r.until("data", func() bool { return string(rec.got) == "hello" })
		w.want(false, true)
		n := w.writes
		r.until("room", func() bool { return w.writes > n })
		rec.close()
		require.False(r.t, r.p.Owns(fd))
		r.settle()
		w.close()
		r.do("the end", func() { _, _ = peer.Read(make([]byte, 1)) })
	}},
	{name: "Owns", run: func(r *rig) {
		for _, addr := range r.freeAddrs() {
			ln := r.listen(addr, listenOptions)
			fd := ln.FD()
			if fd < 0 {
				continue
			}
			require.True(r.t, r.p.Owns(fd))
			ln.Close()
			require.False(r.t, r.p.Owns(fd))
		}
		g, err := r.p.OpenDatagram(&net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, nil, proactor.DatagramOptions{})
		require.NoError(r.t, err)
		if fd := g.FD(); fd >= 0 {
			require.True(r.t, r.p.Owns(fd))
			g.Close()
			require.False(r.t, r.p.Owns(fd))
		}
		a, b := rawPair(r.t)
		for _, fd := range []int{a, b, -1, 1 << 20, math.MaxInt} {
			require.False(r.t, r.p.Owns(fd), "%d", fd)
		}
		r.close()
		require.False(r.t, r.p.Owns(a))
	}},
	{name: "Close in Ready", run: func(r *rig) {
		var both [2]*watched
		for i := range both {
			a, b := rawPair(r.t)
			rawWrite(r.t, b, "x")
			both[i] = r.watch(a)
			both[i].onReady = func() {
				both[0].close()
				both[1].close()
			}
		}
		both[0].want(true, false)
		both[1].want(true, false)
		r.poll(proactor.Forever)
		r.settle()
		require.Equal(r.t, 1, both[0].reads+both[1].reads)
	}},
	{name: "Want in Ready", run: func(r *rig) {
		var both [2]*watched
		for i := range both {
			a, _ := rawPair(r.t)
			both[i] = r.watch(a)
			both[i].onReady = func() {
				both[0].want(false, false)
				both[1].want(false, false)
			}
		}
		both[0].want(false, true)
		both[1].want(false, true)
		r.poll(proactor.Forever)
		r.settle()
		require.Equal(r.t, 1, both[0].writes+both[1].writes)
		both[0].want(false, true)
		r.until("again", func() bool { return both[0].writes+both[1].writes == 2 })
	}},
	{name: "Ready panics", run: func(r *rig) {
		a, _ := rawPair(r.t)
		w := r.watch(a)
		w.want(false, true)
		w.onReady = func() { panic("once") }
		require.Panics(r.t, func() { r.poll(proactor.Forever) })
		w.onReady = nil
		r.until("again", func() bool { return w.writes == 2 })
	}},
	{name: "an end and an error are ready", run: func(r *rig) {
		a, b := rawPair(r.t)
		w := r.watch(a)
		w.want(true, false)
		r.poll(0)
		rawClose(r.t, b)
		for range 3 {
			n := w.reads
			r.until("the end", func() bool { return w.reads > n })
		}
		w.close()
		for _, before := range []bool{true, false} {
			read, write := rawPipe(r.t)
			w := r.watch(write)
			rawFill(r.t, write)
			w.want(false, true)
			if before {
				r.settle()
				require.Zero(r.t, w.writes)
			}
			rawClose(r.t, read)
			for range 3 {
				n := w.writes
				r.until("the pipe nobody reads", func() bool { return w.writes > n })
			}
			w.want(false, false)
			n := w.writes
			r.settle()
			require.Equal(r.t, n, w.writes)
			w.close()
		}
	}},
	{name: "Watch of a connect that is refused", run: func(r *rig) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(r.t, err)
		addr := ln.Addr().(*net.TCPAddr)
		require.NoError(r.t, ln.Close())
		fd := rawConnect(r.t, addr)
		w := r.watch(fd)
		w.want(true, true)
		r.until("the error", func() bool { return w.writes > 2 && w.reads > 2 })
		rawError(r.t, fd, syscall.ECONNREFUSED)
	}},
	{name: "Watch refuses", run: func(r *rig) {
		a, _ := rawPair(r.t)
		for _, fd := range []int{-1, 1 << 20} {
			_, err := r.p.Watch(fd, &watched{r: r})
			require.ErrorIs(r.t, err, syscall.EBADF)
		}
		_, err := r.p.Watch(rawFile(r.t), &watched{r: r})
		require.ErrorIs(r.t, err, syscall.EPERM)
		w := r.watch(a)
		w.want(true, false)
		r.close()
		_, err = r.p.Watch(a, &watched{r: r})
		require.ErrorIs(r.t, err, net.ErrClosed)
		require.NoError(r.t, w.w.Want(true, true))
		w.close()
	}},
	{name: "Watch without descriptors", run: func(r *rig) {
		a, _ := rawPair(r.t)
		withoutDescriptors(r.t, func() {
			_, err := r.p.Watch(a, &watched{r: r})
			require.ErrorIs(r.t, err, syscall.EMFILE)
		})
		r.watch(a).close()
	}},
	{name: "Watch without standard input", run: func(r *rig) {
		a, b := rawPair(r.t)
		withoutStdin(r.t, func() {
			w := r.watch(a)
			requireOpen(r.t, 0, false)
			w.want(true, false)
			rawWrite(r.t, b, "x")
			r.until("readable", func() bool { return w.reads > 0 })
			w.close()
			requireOpen(r.t, 0, false)
		})
	}},
	{name: "Watch keeps the blocking mode", run: func(r *rig) {
		for _, blocking := range []bool{false, true} {
			a, b := rawPair(r.t)
			rawBlocking(r.t, a, blocking)
			w := r.watch(a)
			requireBlocking(r.t, a, blocking)
			w.want(true, true)
			rawWrite(r.t, b, "x")
			r.until("ready", func() bool { return w.reads > 0 && w.writes > 0 })
			w.want(true, false)
			require.Equal(r.t, "x", rawRead(r.t, a))
			n := w.reads
			r.settle()
			require.LessOrEqual(r.t, w.reads, n+1)
			w.close()
			requireBlocking(r.t, a, blocking)
		}
	}},
	{name: "Watches, and Close of the proactor in Ready", run: func(r *rig) {
		for range 5 {
			a, _ := rawPair(r.t)
			w := r.watch(a)
			w.want(true, true)
			w.onReady = r.close
		}
		r.poll(proactor.Forever)
	}},
	{name: "many Watches", run: func(r *rig) {
		const n = 300
		heard := 0
		for range n {
			a, b := rawPair(r.t)
			w := r.watch(a)
			w.want(true, false)
			w.onReady = func() {
				rawRead(r.t, a)
				heard++
				w.close()
			}
			r.poll(0)
			rawWrite(r.t, b, "x")
		}
		r.until("all", func() bool { return heard == n })
	}},
}
