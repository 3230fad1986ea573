// The turn: operations are executed, and libuv runs once.
#include "datagrams.h"
#include "streams.h"

#include <string.h>

static void ref(br_loop *l, br_handle *h, int on) {
  if (on) {
    uv_ref(br_acts(l, h));
  } else {
    uv_unref(br_acts(l, h));
  }
}

static void run_stream_op(br_loop *l, br_stream *s, const br_op *op) {
  switch (op->kind) {
    case BR_OP_READ_START: br_read_start(l, s); break;
    case BR_OP_READ_STOP: br_read_stop(s); break;
    case BR_OP_READ_SMALL: s->h.flags &= (uint8_t)~BR_LARGE; break;
    case BR_OP_SHUTDOWN: br_shutdown(l, s); break;
    case BR_OP_ACCEPT_START: br_accept_start(l, s); break;
    case BR_OP_ACCEPT_ROOM: br_accept_room(l, s, op->arg); break;
    case BR_OP_ACCEPT_STOP: br_accept_stop(s); break;
    default: break;
  }
}

static void run_op(br_loop *l, const br_op *op) {
  if (op->kind == BR_OP_WRITE) {
    br_write_op(l, op);
    return;
  }
  if (op->kind == BR_OP_SEND) {
    br_send_op(l, op);
    return;
  }
  if (op->kind == BR_OP_ACK) {
    br_handle_ack(l, op->slot, op->gen);
    return;
  }
  br_handle *h = br_find(l, op->slot, op->gen);
  if (h == NULL) return;
  switch (op->kind) {
    case BR_OP_CLOSE: br_handle_close(l, h); break;
    case BR_OP_REF: ref(l, h, 1); break;
    case BR_OP_UNREF: ref(l, h, 0); break;
    case BR_OP_SEND_AGAIN:
      if (h->kind == BR_KIND_UDP) br_send_again(l, br_udp_of(h));
      break;
    default:
      if (br_is_stream(h)) run_stream_op(l, br_stream_of(h), op);
  }
}

static void run_ops(br_loop *l, uint32_t nops) {
  BR_ASSERT(nops <= BR_OPS_MAX);
  for (uint32_t i = 0; i < nops; i++) run_op(l, &l->ops[i]);
}

#ifdef BRIDGE_DEBUG
static void count_handle(uv_handle_t *u, void *n) {
  (void)u;
  ++*(uint32_t *)n;
}

// audit compares the slots with what libuv knows. A slot whose handle is closed is Go's,
// but no longer libuv's.
static void audit(br_loop *l) {
  uint32_t want = (uint32_t)l->open, used = 0, found = 0;
  for (uint32_t i = 0; i < l->handles.n; i++) {
    br_handle *h = l->handles.slots[i].p;
    if (h == NULL) continue;
    used++;
    if (h->state == BR_OPEN) want += br_acts(l, h) != br_uv(h) ? 2 : 1;
    if (h->state == BR_CLOSING) want += h->closing;
  }
  uv_walk(l->uv, count_handle, &found);
  BR_ASSERT(used == l->sh.handles);
  BR_ASSERT(found == want);
}
#endif

void br_flush(br_loop *l, uint32_t nops) {
  run_ops(l, nops);
  l->sh.flags = (l->sh.flags & ~(uint32_t)BR_TURN_ALIVE) | (uv_loop_alive(l->uv) ? BR_TURN_ALIVE : 0);
}

static void on_timer(uv_timer_t *t) { (void)t; }

// run_once runs libuv until it has something to do, or the timeout is over.
static void run_once(br_loop *l, int64_t timeout_ms) {
  l->polled = 0;
  uint64_t start = uv_hrtime();
  if (timeout_ms < 0) {
    uv_run(l->uv, UV_RUN_ONCE);
  } else {
    uv_update_time(l->uv);
    // uv_run runs timers that are due before it polls, and then polls as if they had
    // never been. When this thread is held up in between, that is this timer, and without
    // the repetition the poll would have no limit.
    uv_timer_start(l->timer, on_timer, (uint64_t)timeout_ms, 1);
    uv_run(l->uv, UV_RUN_ONCE);
    uv_timer_stop(l->timer);
  }
  br_polled(l);
  l->sh.waited += l->polled - start;
}

void br_turn(br_loop *l, uint32_t nops, uint32_t consumed, int64_t timeout_ms, int if_alive) {
  BR_ASSERT(consumed <= l->sh.nrec);
  uint32_t rest = l->sh.nrec - consumed;
  if (rest > 0) memmove(l->sh.recs, l->sh.recs + consumed, rest * sizeof *l->sh.recs);
  l->sh.nrec = rest;
#ifdef BRIDGE_DEBUG
  memset(l->slab, 0xDB, l->slab_used);
  if (l->handles.n < 1024) audit(l);
#endif
  l->slab_used = 0;
  l->unseen = 0;
  if (l->in != NULL) br_inbox_turn(l->in);
  run_ops(l, nops);
  l->sh.nflush = l->sh.nrec;

  if (if_alive && !uv_loop_alive(l->uv)) timeout_ms = 0;
  // A reference on the wake-up makes uv_run poll, and wait, although nothing else may be
  // referenced.
  uv_ref((uv_handle_t *)l->wake);
  if (timeout_ms == 0 || l->sh.nrec > 0) {
    uv_run(l->uv, UV_RUN_NOWAIT);
  } else {
    run_once(l, timeout_ms);
  }
  uint32_t flags = uv_backend_timeout(l->uv) == 0 ? BR_TURN_AGAIN : 0;
  uv_unref((uv_handle_t *)l->wake);
  l->sh.flags = flags | (uv_loop_alive(l->uv) ? BR_TURN_ALIVE : 0);
  l->sh.now = uv_now(l->uv);
  l->unseen = l->sh.nrec;
}
