// The loop: queues, the turn, and the wake-up.
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

static atomic_llong live_allocations;
static int counting;

// A completion that cannot be stored would be a future that never ends, so without memory
// the process ends.
void *br_alloc(size_t n) {
  void *p = malloc(n);
  if (p == NULL) {
    fprintf(stderr, "asyncio bridge: out of memory (%zu bytes)\n", n);
    abort();
  }
  if (counting) atomic_fetch_add(&live_allocations, 1);
  return p;
}

void br_free(void *p) {
  if (p != NULL && counting) atomic_fetch_sub(&live_allocations, 1);
  free(p);
}

static void *count_malloc(size_t n) {
  void *p = malloc(n);
  if (p != NULL) atomic_fetch_add(&live_allocations, 1);
  return p;
}

static void *count_calloc(size_t n, size_t size) {
  void *p = calloc(n, size);
  if (p != NULL) atomic_fetch_add(&live_allocations, 1);
  return p;
}

static void *count_realloc(void *old, size_t n) {
  void *p = realloc(old, n);
  if (p != NULL && old == NULL) atomic_fetch_add(&live_allocations, 1);
  return p;
}

int br_count_allocations(void) {
  int err = uv_replace_allocator(count_malloc, count_realloc, count_calloc, br_free);
  if (err == 0) counting = 1;
  return err;
}

int64_t br_live_allocations(void) { return counting ? (int64_t)atomic_load(&live_allocations) : -1; }

br_rec *br_push(br_loop *l, int kind, const br_handle *h, int status) {
  BR_ASSERT(l->slots[h->slot].h == h && l->slots[h->slot].gen == h->gen);
  BR_ASSERT((h->state == BR_CLOSED) == (kind == BR_REC_CLOSED));
  if (l->sh.nrec == l->rec_cap) {
    br_rec *recs = br_alloc(2 * l->rec_cap * sizeof *recs);
    memcpy(recs, l->sh.recs, l->sh.nrec * sizeof *recs);
    br_free(l->sh.recs);
    l->sh.recs = recs;
    l->rec_cap *= 2;
  }
  br_rec *r = &l->sh.recs[l->sh.nrec++];
  *r = (br_rec){.kind = (uint8_t)kind, .slot = h->slot, .gen = h->gen, .status = status};
  return r;
}

// on_bell ends a wait. The descriptor's number is the handle's data.
static void on_bell(uv_poll_t *p, int status, int events) {
  (void)status;
  (void)events;
  br_polled(br_loop_of((uv_handle_t *)p));
  int fd = (int)(intptr_t)uv_handle_get_data((uv_handle_t *)p);
  char buf[64];
  while (read(fd, buf, sizeof buf) == (ssize_t)sizeof buf) {
  }
}

static void on_timer(uv_timer_t *t) { (void)t; }

// The descriptors are non-blocking: a full pipe already says what one more byte would.
static int wake_open(int fds[2]) {
#ifdef __linux__
  fds[0] = fds[1] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  return fds[0] < 0 ? uv_translate_sys_error(errno) : 0;
#else
  return uv_pipe(fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
#endif
}

static void wake_close(const int fds[2]) {
  close(fds[0]);
  if (fds[1] != fds[0]) close(fds[1]);
}

static void on_own_close(uv_handle_t *h) {
  br_loop_of(h)->open--;
  br_free(h);
}

// bell_open makes a descriptor end waits. What it brings is read and forgotten, and the
// loop is not alive because of it.
static int bell_open(br_loop *l, int fd, uv_poll_t **bell) {
  uv_poll_t *p = br_alloc(uv_handle_size(UV_POLL));
  int err = uv_poll_init(l->uv, p, fd);
  if (err != 0) {
    br_free(p);
    return err;
  }
  l->open++;
  uv_handle_set_data((uv_handle_t *)p, (void *)(intptr_t)fd);
  err = uv_poll_start(p, UV_READABLE, on_bell);
  if (err == 0) err = br_watch(l, fd);
  uv_unref((uv_handle_t *)p);
  if (err != 0) {
    uv_close((uv_handle_t *)p, on_own_close);
    return err;
  }
  *bell = p;
  return 0;
}

// uv_open makes libuv's loop, which watches its own descriptors and that of the wake-up.
static int uv_open(br_loop *l) {
  int err = uv_loop_init(l->uv);
  if (err != 0) return err;
  uv_loop_set_data(l->uv, l);
  err = br_watch_own(l);
  if (err == 0) err = bell_open(l, l->wake_rd, &l->wake);
  if (err == 0) return 0;
  while (l->open > 0) uv_run(l->uv, UV_RUN_NOWAIT);
  uv_loop_close(l->uv);
  return err;
}

static int loop_init(br_loop *l) {
  int fds[2];
  int err = br_descriptors();
  if (err == 0) err = wake_open(fds);
  if (err != 0) return err;
  l->wake_rd = fds[0];
  l->wake_wr = fds[1];
  err = uv_open(l);
  if (err != 0) {
    wake_close(fds);
    return err;
  }
  l->timer = br_alloc(uv_handle_size(UV_TIMER));
  uv_timer_init(l->uv, l->timer);
  uv_unref((uv_handle_t *)l->timer);
  l->open++;
  return 0;
}

static void loop_free(br_loop *l) {
  br_free(l->sh.recs);
  br_free(l->slots);
  br_free(l->slab);
  br_free(l->ops);
  br_free(l->pieces);
  br_free(l->arena);
  br_free(l->uv);
  br_free(l);
}

int br_loop_new(br_loop **out) {
  unsigned v = uv_version();
  if (v >> 16 != 1 || v < ((1 << 16) | (44 << 8) | 2)) return UV_ENOTSUP;
  br_loop *l = br_alloc(sizeof *l);
  memset(l, 0, sizeof *l);
  l->rec_cap = 256;
  l->sh.recs = br_alloc(l->rec_cap * sizeof *l->sh.recs);
  l->free_slot = BR_NO_SLOT;
  l->slab = br_alloc(BR_SLAB_BYTES);
  l->ops = br_alloc(BR_OPS_MAX * sizeof *l->ops);
  l->pieces = br_alloc(BR_PIECES_MAX * sizeof *l->pieces);
  l->arena = br_alloc(BR_ARENA_BYTES);
  l->uv = br_alloc(uv_loop_size());
  int err = loop_init(l);
  if (err != 0) {
    loop_free(l);
    return err;
  }
  l->sh.now = uv_now(l->uv);
  *out = l;
  return 0;
}

int br_loop_close(br_loop *l) {
  if (l->sh.handles != 0) return UV_EBUSY;
  uv_close((uv_handle_t *)l->wake, on_own_close);
  if (l->tick != NULL) uv_close((uv_handle_t *)l->tick, on_own_close);
  uv_close((uv_handle_t *)l->timer, on_own_close);
  while (l->open > 0) uv_run(l->uv, UV_RUN_NOWAIT);
  if (l->tick != NULL) close(l->tick_fd);
  int err = uv_loop_close(l->uv);
  BR_ASSERT(err == 0);
  if (err == 0) loop_free(l);
  return err;
}

br_shared *br_loop_shared(br_loop *l) { return &l->sh; }
br_op *br_loop_ops(br_loop *l) { return l->ops; }
br_piece *br_loop_pieces(br_loop *l) { return l->pieces; }
void *br_loop_arena(br_loop *l) { return l->arena; }
void *br_loop_slab(br_loop *l) { return l->slab; }
int br_loop_backend_fd(br_loop *l) { return uv_backend_fd(l->uv); }
int br_loop_backend_timeout(br_loop *l) { return uv_backend_timeout(l->uv); }

void br_loop_wake_fds(br_loop *l, int *rd, int *wr) {
  *rd = l->wake_rd;
  *wr = l->wake_wr;
}

int br_loop_tick_fd(br_loop *l) {
  if (l->tick != NULL) return l->tick_fd;
#ifdef __linux__
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) return uv_translate_sys_error(errno);
  int err = bell_open(l, fd, &l->tick);
  if (err == 0) return l->tick_fd = fd;
  close(fd);
  return err;
#else
  return UV_ENOTSUP;
#endif
}

void br_loop_update_time(br_loop *l) {
  uv_update_time(l->uv);
  l->sh.now = uv_now(l->uv);
}

static void run_op(br_loop *l, const br_op *op) {
  if (op->kind == BR_OP_WRITE) {
    br_write_op(l, op);
    return;
  }
  if (op->kind == BR_OP_ACK) {
    br_handle_ack(l, op->slot, op->gen);
    return;
  }
  br_handle *h = br_find(l, op->slot, op->gen);
  if (h == NULL) return;
  switch (op->kind) {
    case BR_OP_READ_START: br_read_start(l, h); break;
    case BR_OP_READ_STOP: br_read_stop(h); break;
    case BR_OP_READ_SMALL: h->flags &= (uint8_t)~BR_LARGE; break;
    case BR_OP_SHUTDOWN: br_shutdown(l, h); break;
    case BR_OP_CLOSE: br_handle_close(h); break;
    case BR_OP_REF: uv_ref(h->listener ? (uv_handle_t *)h->listener->poll : br_uv(h)); break;
    case BR_OP_UNREF: uv_unref(h->listener ? (uv_handle_t *)h->listener->poll : br_uv(h)); break;
    case BR_OP_ACCEPT_START: br_accept_start(l, h); break;
    case BR_OP_ACCEPT_ROOM: br_accept_room(l, h, op->arg); break;
    case BR_OP_ACCEPT_STOP: br_accept_stop(h); break;
    default: break;
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
  for (uint32_t i = 0; i < l->nslots; i++) {
    br_handle *h = l->slots[i].h;
    if (h == NULL) continue;
    used++;
    if (h->state == BR_OPEN) want += h->listener != NULL ? 2 : 1;
    if (h->state == BR_CLOSING) want += h->closing;
    BR_ASSERT(h->out == NULL || h->state != BR_CLOSED);
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
  if (l->nslots < 1024) audit(l);
#endif
  l->slab_used = 0;
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
}
