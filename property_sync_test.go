package asyncio_test

// The primitives that the tasks of a random program share, each with a model of it, and
// the steps that use them.

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-a026a017/asyncio"
)

// synchronisation is what the tasks share.
type synchronisation struct {
	lock     *asyncio.Lock
	holder   *actor // of the lock
	lockLine tickets

	permits    *asyncio.Semaphore
	held       int
	permitLine tickets

	event *asyncio.Event
	sets  int // how often it was set

	bell     *asyncio.Condition // who waits for it only waits
	ringer   *actor             // who has its lock
	sleepers int                // tasks in its Wait
	wakes    int                // that were given, and those that one that failed may have passed on
	woken    int

	store *asyncio.Condition // of stock
	stock int

	barrier *asyncio.Barrier
	inside  int // tasks in its Wait
	passed  map[int]bool
	broken  bool // it was reset or aborted, ever

	queue      *asyncio.Queue[int]
	items      []int // in the queue, in the order of Put
	lastItem   int
	unfinished int
	shut       bool
	zeroes     int // how often unfinished became 0
}

// tickets are drawn at arrival. Whoever gets something has a later one than all that got
// it before.
type tickets struct{ drawn, served int }

func (t *tickets) draw() int { t.drawn++; return t.drawn }

func (t *tickets) serve(w *world, ticket int) {
	w.must(ticket > t.served, "the task that came as number %d was served after number %d", ticket, t.served)
	t.served = ticket
}

func newSynchronisation(p program) *synchronisation {
	s := &synchronisation{
		lock: asyncio.NewLock(), permits: asyncio.NewBoundedSemaphore(p.permits), event: asyncio.NewEvent(),
		bell: asyncio.NewCondition(nil), store: asyncio.NewCondition(nil), barrier: asyncio.NewBarrier(p.parties),
		passed: map[int]bool{},
	}
	switch p.order {
	case oldestFirst:
		s.queue = asyncio.NewQueue[int](p.room)
	case youngestFirst:
		s.queue = asyncio.NewLifoQueue[int](p.room)
	case leastFirst:
		s.queue = asyncio.NewPriorityQueue(p.room, lessItem)
	}
	return s
}

// lessItem orders items unlike they come, and no two alike.
func lessItem(a, b int) bool { return a%4*1000+a < b%4*1000+b }

func (s *synchronisation) all() []any {
	return []any{s.lock, s.permits, s.event, s.bell, s.store, s.barrier, s.queue}
}

// look compares the primitives with their models.
func (s *synchronisation) look(w *world) {
	w.must(s.lock.Locked() == (s.holder != nil), "the lock is taken: %v, and its holder is %v", s.lock.Locked(), s.holder)
	w.must(asyncio.Permits(s.permits)+s.held == w.program.permits, "of %d permits there are %d, and %d are held",
		w.program.permits, asyncio.Permits(s.permits), s.held)
	w.must(s.bell.Locked() == (s.ringer != nil), "the bell's lock is taken: %v, and its holder is %v", s.bell.Locked(), s.ringer)
	w.must(s.stock == 0 || !asyncio.Forgotten(s.store), "tasks wait for a stock of %d, and none has been told", s.stock)
	w.must(s.queue.Len() == len(s.items), "the queue has %d items, and should have %v", s.queue.Len(), s.items)
	w.must(asyncio.Unfinished(s.queue) == s.unfinished, "the queue has %d unfinished items, and should have %d",
		asyncio.Unfinished(s.queue), s.unfinished)
}

// end checks that everything was given back.
func (s *synchronisation) end(w *world) {
	for _, p := range s.all() {
		w.must(asyncio.InLine(p) == 0, "at the end tasks stand before the %T", p)
	}
	w.must(!s.lock.Locked() && !s.bell.Locked() && !s.store.Locked(), "at the end a lock is taken")
	w.must(s.held == 0 && !s.permits.Locked(), "at the end permits are held")
	w.must(s.barrier.NWaiting() == 0 && s.inside == 0, "at the end tasks are in the barrier")
}

// synchronise does a step that uses a primitive; ok is false for others.
func (a *actor) synchronise(ctx context.Context, st step) (err error, ok bool) {
	a.waits = true
	defer func() { a.waits = false }()
	switch st.what {
	case "lock":
		err = a.lock(ctx, st)
	case "permit":
		err = a.permit(ctx, st)
	case "event":
		err = a.event(ctx)
	case "bell":
		err = a.waitBell(ctx, st.flag)
	case "ring":
		err = a.ring(ctx, st.n%4, st.flag)
	case "take":
		err = a.take(ctx, st.flag)
	case "give":
		err = a.give(ctx, st.flag)
	case "barrier":
		err = a.pass(ctx)
	case "put":
		err = a.put(ctx)
	case "get":
		err = a.get(ctx)
	case "join":
		err = a.join(ctx)
	default:
		return nil, false
	}
	return err, true
}

func (a *actor) lock(ctx context.Context, st step) error {
	w, s := a.world, a.world.sync
	free, before := s.holder == nil && asyncio.InLine(s.lock) == 0, w.looks
	ticket, entered := s.lockLine.draw(), false
	err := s.lock.With(ctx, func() error {
		entered = true
		w.must(s.holder == nil, "%s and %v have the lock", a, s.holder)
		w.must(!free || w.looks == before, "%s had to wait for a lock that was free", a)
		s.lockLine.serve(w, ticket)
		s.holder = a
		defer func() { s.holder = nil }()
		return a.run(ctx, st.body)
	})
	if !entered {
		return a.interrupted(err)
	}
	return err
}

func (a *actor) permit(ctx context.Context, st step) error {
	w, s := a.world, a.world.sync
	ticket, entered := s.permitLine.draw(), false
	err := s.permits.With(ctx, func() error {
		entered = true
		s.permitLine.serve(w, ticket)
		s.held++
		defer func() { s.held-- }()
		return a.run(ctx, st.body)
	})
	if !entered {
		return a.interrupted(err)
	}
	return err
}

func (a *actor) event(ctx context.Context) error {
	w, s := a.world, a.world.sync
	set, sets, before := s.event.IsSet(), s.sets, w.looks
	if err := s.event.Wait(ctx); err != nil {
		w.must(!set, "a wait for an event that was set has failed: %v", err)
		return a.interrupted(err)
	}
	w.must(set || s.sets > sets, "the wait for an event has ended, and nobody has set it")
	w.must(!set || w.looks == before, "a wait for an event that was set has suspended")
	return nil
}

// linger keeps a lock for a while, so that others have to wait for it.
func (a *actor) linger(ctx context.Context, long bool) error {
	if !long {
		return nil
	}
	a.world.look()
	return asyncio.Sleep(ctx, 0)
}

func (a *actor) waitBell(ctx context.Context, long bool) error {
	w, s := a.world, a.world.sync
	err := s.bell.With(ctx, func() error {
		s.hold(a)
		s.ringer = nil
		s.sleepers++
		err := s.bell.Wait(ctx)
		s.sleepers--
		s.hold(a)
		defer func() { s.ringer = nil }()
		if err != nil {
			s.wakes++
			return err
		}
		s.woken++
		w.must(s.woken <= s.wakes, "%d tasks were woken by %d notifications", s.woken, s.wakes)
		return a.linger(ctx, long)
	})
	if err != nil {
		return a.interrupted(err)
	}
	return nil
}

// hold makes a the one that has the bell's lock.
func (s *synchronisation) hold(a *actor) {
	if a.world.over() == nil {
		a.world.must(s.ringer == nil, "%s and %v have the bell's lock", a, s.ringer)
	}
	s.ringer = a
}

func (a *actor) ring(ctx context.Context, n int, long bool) error {
	s := a.world.sync
	err := s.bell.With(ctx, func() error {
		s.hold(a)
		defer func() { s.ringer = nil }()
		s.wakes += min(n, s.sleepers)
		s.bell.Notify(n)
		return a.linger(ctx, long)
	})
	if err != nil {
		return a.interrupted(err)
	}
	return nil
}

func (a *actor) take(ctx context.Context, long bool) error {
	w, s := a.world, a.world.sync
	err := s.store.With(ctx, func() error {
		err := s.store.WaitFor(ctx, func() bool {
			w.must(s.store.Locked(), "a predicate runs without the lock")
			return s.stock > 0
		})
		if err == nil {
			w.must(s.stock > 0, "WaitFor has returned too early")
			s.stock--
			err = a.linger(ctx, long)
		}
		return err
	})
	if err != nil {
		return a.interrupted(err)
	}
	return nil
}

func (a *actor) give(ctx context.Context, long bool) error {
	s := a.world.sync
	err := s.store.With(ctx, func() error {
		s.stock++
		s.store.Notify(1)
		return a.linger(ctx, long)
	})
	if err != nil {
		return a.interrupted(err)
	}
	return nil
}

// pass goes through the barrier.
func (a *actor) pass(ctx context.Context) error {
	w, s := a.world, a.world.sync
	s.inside++
	index, err := s.barrier.Wait(ctx)
	inside := s.inside
	s.inside--
	if err == nil {
		w.must(index >= 0 && index < w.parties, "the barrier of %d has numbered a task %d", w.parties, index)
		w.must(!s.passed[index], "the barrier has given out number %d twice", index)
		w.must(len(s.passed) > 0 || inside >= w.parties, "the barrier of %d has let %d tasks pass", w.parties, inside)
		s.passed[index] = true
	}
	if asyncio.InBarrier(s.barrier) == 0 {
		clear(s.passed)
	}
	if errors.Is(err, asyncio.ErrBrokenBarrier) {
		w.must(s.broken, "the barrier is broken, and nobody has done it")
		return err
	}
	if err != nil {
		return a.interrupted(err)
	}
	return nil
}

func (s *synchronisation) newItem() int { s.lastItem++; return s.lastItem }

// added notes an item that was put.
func (s *synchronisation) added(item int) {
	s.items = append(s.items, item)
	s.unfinished++
}

// removed notes an item that was got, and checks that it was its turn.
func (s *synchronisation) removed(w *world, item int) {
	if len(s.items) == 0 {
		w.fail("the queue has given out %d, and was empty", item)
		return
	}
	i := 0
	switch w.order {
	case youngestFirst:
		i = len(s.items) - 1
	case leastFirst:
		least := slices.MinFunc(s.items, func(a, b int) int {
			if lessItem(a, b) {
				return -1
			}
			return 1
		})
		i = slices.Index(s.items, least)
	}
	w.must(item == s.items[i], "the queue of %v has given out %d", s.items, item)
	s.items = slices.Delete(s.items, i, i+1)
}

func (s *synchronisation) full(w *world) bool { return w.room > 0 && len(s.items) >= w.room }

func (a *actor) put(ctx context.Context) error {
	w, s := a.world, a.world.sync
	full, before, item := s.full(w), w.looks, s.newItem()
	err := s.queue.Put(ctx, item)
	if errors.Is(err, asyncio.ErrQueueShutDown) {
		w.must(s.shut, "a queue that is open has refused an item")
		return err
	}
	if err != nil {
		return a.interrupted(err)
	}
	w.must(!s.shut && !s.full(w), "a queue of %d items, shut %v, has taken another", len(s.items), s.shut)
	w.must(full || w.looks == before, "Put has suspended although there was a place")
	s.added(item)
	return nil
}

func (a *actor) get(ctx context.Context) error {
	w, s := a.world, a.world.sync
	empty, before := len(s.items) == 0, w.looks
	item, err := s.queue.Get(ctx)
	if errors.Is(err, asyncio.ErrQueueShutDown) {
		w.must(s.shut && len(s.items) == 0, "a queue of %d items, shut %v, has none to give", len(s.items), s.shut)
		return err
	}
	if err != nil {
		return a.interrupted(err)
	}
	w.must(empty || w.looks == before, "Get has suspended although there was an item")
	s.removed(w, item)
	return nil
}

func (a *actor) join(ctx context.Context) error {
	w, s := a.world, a.world.sync
	unfinished, zeroes := s.unfinished, s.zeroes
	if err := s.queue.Join(ctx); err != nil {
		return a.interrupted(err)
	}
	w.must(unfinished == 0 || s.zeroes > zeroes, "Join has returned with %d items unfinished", s.unfinished)
	return nil
}

// quickSync does a step that uses a primitive and does not suspend.
func (w *world) quickSync(st step) {
	s := w.sync
	switch st.what {
	case "event set":
		s.sets++
		s.event.Set()
	case "event clear":
		s.event.Clear()
	case "reset", "abort":
		s.broken = true
		if st.what == "reset" {
			s.barrier.Reset()
		} else {
			s.barrier.Abort()
		}
	case "put now":
		w.putNow()
	case "get now":
		w.getNow()
	case "task done":
		if s.unfinished > 0 {
			s.queue.TaskDone()
			s.unfinished--
			s.zeroAgain()
		}
	case "shutdown":
		if st.n < 10 {
			return // most programs shall keep their queue
		}
		s.shut = true
		if st.flag {
			s.unfinished = max(0, s.unfinished-len(s.items))
			s.items = nil
			s.zeroAgain()
		}
		s.queue.Shutdown(st.flag)
	}
}

func (s *synchronisation) zeroAgain() {
	if s.unfinished == 0 {
		s.zeroes++
	}
}

func (w *world) putNow() {
	s, item := w.sync, w.sync.newItem()
	var want error
	switch {
	case s.shut:
		want = asyncio.ErrQueueShutDown
	case s.full(w):
		want = asyncio.ErrQueueFull
	}
	err := s.queue.PutNowait(item)
	w.must(err == want, "PutNowait: %v, want %v", err, want)
	if err == nil {
		s.added(item)
	}
}

func (w *world) getNow() {
	s := w.sync
	item, err := s.queue.GetNowait()
	if len(s.items) > 0 {
		w.must(err == nil, "GetNowait of %d items: %v", len(s.items), err)
		s.removed(w, item)
		return
	}
	want := asyncio.ErrQueueEmpty
	if s.shut {
		want = asyncio.ErrQueueShutDown
	}
	w.must(err == want, "GetNowait of none: %v, want %v", err, want)
}
