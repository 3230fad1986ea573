//go:build cgo

package uv

// Requests: what is done once, away from the loop, and then told. Handles' own requests,
// such as writes, are theirs.
//
//	state      moves to                                the callback
//	waiting    pending: those before it are over       is still to come
//	           cancelled: Cancel                       is still to come
//	           over: the end of its context            has the context's cause
//	pending    over: the bridge's record, or a turn    has what came of it
//	           cancelled: Cancel, unless it runs       is still to come
//	           over: the end of its context            has the context's cause
//	cancelled  over: the bridge's record, or a turn    has ECANCELED
//	           over: the end of its context            has the context's cause
//	refused    none: the loop was closed               does not come
//
// A request that its context has ended may still be libuv's. It then keeps the loop until
// its record comes, and what that brings is freed.

import (
	"context"
	"strconv"

	"github.com/seed-a026a017/asyncio/cbridge"
)

// ReqType is the kind of a request, uv_req_type.
type ReqType uint8

// The kinds of requests.
const (
	UnknownReq ReqType = iota
	FSReq
	GetAddrInfoReq
	GetNameInfoReq
	RandomReq
	WorkReq
)

var reqNames = [...]string{"unknown", "fs", "getaddrinfo", "getnameinfo", "random", "work"}

// String is libuv's name of the kind; uv_req_type_name.
func (t ReqType) String() string {
	if int(t) < len(reqNames) {
		return reqNames[t]
	}
	return "ReqType(" + strconv.Itoa(int(t)) + ")"
}

type reqState uint8

const (
	reqPending reqState = iota
	reqCancelled
	reqOver
	reqWaiting
	reqRefused
)

// Req is a request under way. It keeps the loop alive and has its callback exactly once,
// in a later turn, also after Cancel. After its callback it is inert.
type Req struct {
	loop    *Loop
	id      uint64 // in Loop.reqs; 0: what there is to tell is known
	kind    ReqType
	state   reqState
	answer  answer
	fs      *fsCall         // of the file system's
	ctx     context.Context // nil: none that ends
	unwatch func() bool     // nil without ctx
	data    any
}

// answer is what comes of a kind of request.
type answer interface {
	// take copies the result of a request that has succeeded out of the bridge.
	take(b *cbridge.Loop, id uint64)
	// failed makes the error for a code.
	failed(code Errno) error
	// tell calls the callback.
	tell(err error)
}

// begun makes the request that the bridge has begun.
func (l *Loop) begun(ctx context.Context, kind ReqType, id uint64, a answer) *Req {
	r := &Req{loop: l, id: id, kind: kind, answer: a}
	l.keep(r)
	l.stirred()
	r.watch(ctx)
	return r
}

// keep notes that the request is outstanding.
func (l *Loop) keep(r *Req) {
	if l.reqs == nil {
		l.reqs = make(map[uint64]*Req)
	}
	l.reqs[r.id] = r
}

// answered makes a request whose answer is known. A later turn tells it.
func (l *Loop) answered(ctx context.Context, kind ReqType, a answer, err error) *Req {
	r := &Req{loop: l, kind: kind, answer: a}
	l.answerLater(r, err)
	r.watch(ctx)
	return r
}

// answerLater has a turn tell what came of the request.
func (l *Loop) answerLater(r *Req, err error) {
	l.answers = append(l.answers, func() {
		if r.state != reqOver {
			l.calls++
			r.end(err)
		}
	})
}

// tellAnswers tells those that are known at this moment.
func (l *Loop) tellAnswers() {
	for n := len(l.answers); n > 0; n-- {
		f := l.answers[0]
		l.answers[0] = nil
		l.answers = l.answers[1:]
		f()
	}
}

// watch ends the request with ctx.
func (r *Req) watch(ctx context.Context) {
	if ctx.Done() == nil {
		return
	}
	r.ctx = ctx
	r.unwatch = context.AfterFunc(ctx, func() {
		r.loop.Post(func() {
			if r.state != reqOver {
				_ = r.cancel() // what runs is left to itself
				r.end(context.Cause(ctx))
			}
		})
	})
}

// recordDone takes in the record of a request. A result that the end of its context has
// overtaken is left to the bridge, which frees it.
func (l *Loop) recordDone(rec cbridge.Record) {
	id := uint64(rec.Gen)<<32 | uint64(rec.Slot)
	r := l.reqs[id]
	delete(l.reqs, id)
	told := r.state == reqOver
	late := !told && r.ctx != nil && r.ctx.Err() != nil
	wanted := (rec.Status == 0 || r.fs != nil && r.fs.follow != nil) && !told && !late
	if wanted {
		r.answer.take(l.b, id)
	}
	l.b.JobFree(id)
	if r.fs != nil {
		if wanted && r.fs.goesOn() {
			r.startFS()
			return
		}
		r.fs.released()
		r.fs = nil
	}
	if told {
		return
	}
	l.calls++
	var err error
	switch code := Errno(rec.Status); {
	case late:
		err = context.Cause(r.ctx)
	case code != 0:
		err = r.answer.failed(code)
	}
	r.end(err)
}

// end tells what came of the request.
func (r *Req) end(err error) {
	a := r.answer
	r.close()
	a.tell(err)
}

// close is the one move to reqOver.
func (r *Req) close() {
	r.state = reqOver
	if r.unwatch != nil {
		r.unwatch()
	}
	r.answer, r.ctx, r.unwatch = nil, nil, nil
}

// Cancel keeps the request from beginning; uv_cancel. Its callback then gets ECANCELED.
// The error is EBUSY once it runs or is over, and ErrClosed if its loop was closed.
func (r *Req) Cancel() error {
	r.loop.use("Req.Cancel")
	return r.cancel()
}

func (r *Req) cancel() error {
	code := int(EBUSY)
	switch {
	case r.state == reqRefused:
		return ErrClosed
	case r.state == reqCancelled:
		return nil
	case r.state == reqWaiting:
		code = 0
		r.loop.answerLater(r, r.answer.failed(ECANCELED))
	case r.state != reqPending || r.id == 0:
	case r.kind == WorkReq:
		if r.answer.(*work).withdraw() {
			code = 0
		}
	default:
		code = r.loop.b.JobCancel(r.id)
	}
	if code != 0 {
		return &Error{Op: "cancel " + r.kind.String(), Errno: Errno(code)}
	}
	r.state = reqCancelled
	if r.fs != nil {
		r.fs.cancelled()
	}
	return nil
}

// Type is the kind of the request; uv_req_get_type.
func (r *Req) Type() ReqType { return r.kind }

// Loop is the loop of the request.
func (r *Req) Loop() *Loop { return r.loop }

// SetData keeps a value with the request; uv_req_set_data.
func (r *Req) SetData(v any) { r.data = v }

// Data is what SetData was given last; uv_req_get_data.
func (r *Req) Data() any { return r.data }
