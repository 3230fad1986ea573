//go:build cgo

package uv

// Idle, prepare and check handles: callbacks around the poll. libuv would call them from
// inside uv_run; here they are phases of the turn, in the order in which they were
// started.

type phaseKind uint8

const (
	idlePhase phaseKind = iota
	preparePhase
	checkPhase
	phaseKinds
)

// phaseList is the started handles of one kind. A stopped one leaves a hole until no run
// of the list is under way.
type phaseList struct {
	handles []*phaseHandle
	active  int
}

type phaseHandle struct {
	local
	phase phaseKind
	index int
	f     func()
}

// Idle calls a function in every turn, before the prepare handles, and keeps the loop
// from waiting; uv_idle_t.
type Idle struct{ phaseHandle }

// Prepare calls a function in every turn, right before the poll; uv_prepare_t.
type Prepare struct{ phaseHandle }

// Check calls a function in every turn, after what the poll has found was reported;
// uv_check_t.
type Check struct{ phaseHandle }

// NewIdle makes an idle handle; uv_idle_init. The error is ErrClosed.
func (l *Loop) NewIdle() (*Idle, error) {
	h := &Idle{phaseHandle{phase: idlePhase}}
	if err := l.addLocal(&h.local, h, IdleHandle); err != nil {
		return nil, err
	}
	return h, nil
}

// NewPrepare makes a prepare handle; uv_prepare_init. The error is ErrClosed.
func (l *Loop) NewPrepare() (*Prepare, error) {
	h := &Prepare{phaseHandle{phase: preparePhase}}
	if err := l.addLocal(&h.local, h, PrepareHandle); err != nil {
		return nil, err
	}
	return h, nil
}

// NewCheck makes a check handle; uv_check_init. The error is ErrClosed.
func (l *Loop) NewCheck() (*Check, error) {
	h := &Check{phaseHandle{phase: checkPhase}}
	if err := l.addLocal(&h.local, h, CheckHandle); err != nil {
		return nil, err
	}
	return h, nil
}

// Start calls f in every turn from the next run of this phase on. A handle that is
// started stays as it is, f included, as in libuv. The error is ErrClosed, or EINVAL
// without f.
func (h *phaseHandle) Start(f func()) error {
	if err := h.check("Start"); err != nil {
		return err
	}
	if f == nil {
		return h.fail("start", int(EINVAL))
	}
	if h.active {
		return nil
	}
	list := &h.loop.phases[h.phase]
	h.f, h.index = f, len(list.handles)
	list.handles = append(list.handles, h)
	list.active++
	h.setActive(true)
	return nil
}

// Stop ends the calls at once. The error is ErrClosed.
func (h *phaseHandle) Stop() error {
	if err := h.check("Stop"); err != nil {
		return err
	}
	h.stop()
	return nil
}

func (h *phaseHandle) stop() {
	if !h.active {
		return
	}
	list := &h.loop.phases[h.phase]
	list.handles[h.index] = nil
	list.active--
	h.setActive(false)
}

// Close stops the handle and closes it.
func (h *phaseHandle) Close() { h.CloseWith(nil) }

// CloseWith is Close with a callback.
func (h *phaseHandle) CloseWith(closed func()) {
	if h.check("Close") != nil {
		return
	}
	h.stop()
	h.close(closed)
}

// runPhase calls the handles of a kind that are started now; one that is stopped
// meanwhile is not called.
func (l *Loop) runPhase(k phaseKind) {
	list := &l.phases[k]
	for i, n := 0, len(list.handles); i < n; i++ {
		if h := list.handles[i]; h != nil {
			l.calls++
			h.f()
		}
	}
	kept := list.handles[:0]
	for _, h := range list.handles {
		if h != nil {
			h.index = len(kept)
			kept = append(kept, h)
		}
	}
	clear(list.handles[len(kept):])
	list.handles = kept
}
