// Descriptors of somebody else's, which are watched.
//
// Their owner may close one at any moment, and the number may come back as that of
// another file. So libuv, which would abort, is left no call of epoll_ctl that has to
// succeed: br_watch_now makes it at the start. What libuv does at the end may fail.
#include "internal.h"

typedef struct {
  uint64_t epoch;  // of the last start; Go drops what an older one has reported
  uint32_t at;     // where the last record was
  int lost;        // the number is another handle's by now
  br_handle h;
} br_poll;

_Static_assert(sizeof(br_poll) == 32, "the libuv handle behind it is aligned");

static inline br_poll *poll_of(br_handle *h) { return (br_poll *)((char *)h - offsetof(br_poll, h)); }
static inline uv_poll_t *uv_poll(br_handle *h) { return (uv_poll_t *)br_uv(h); }

// report makes one record of all that the loop finds in one turn.
static void report(br_loop *l, br_handle *h, int status, int events) {
  br_poll *p = poll_of(h);
  br_rec *r = p->at < l->sh.nrec ? &l->sh.recs[p->at] : NULL;
  if (r == NULL || r->kind != BR_REC_POLL || r->slot != h->slot || r->gen != h->gen || r->value != p->epoch || r->status != status) {
    p->at = l->sh.nrec;
    r = br_push(l, BR_REC_POLL, h, status);
    r->value = p->epoch;
  }
  r->aux |= (uint16_t)events;
}

static void on_poll(uv_poll_t *u, int status, int events) {
  br_loop *l = br_loop_of((uv_handle_t *)u);
  br_polled(l);
  report(l, br_of(u), status, events);
}

// poll_lost stops before another watcher is started for the number. libuv takes the
// number out of the kernel's set again when it closes the handle, so it is given another
// one, which it can never take out.
static void poll_lost(br_loop *l, br_handle *h) {
  poll_of(h)->lost = 1;
  if (uv_is_active(br_uv(h))) {
    uv_poll_stop(uv_poll(h));
    report(l, h, UV_EBADF, 0);
  }
  uv_poll(h)->io_watcher.fd = uv_backend_fd(l->uv);
}

static int poll_init(br_loop *l, br_handle *h, unsigned fd) { return uv_poll_init(l->uv, uv_poll(h), (int)fd); }

static void poll_nothing(br_loop *l, br_handle *h) {
  (void)l;
  (void)h;
}

const br_kind br_poll_kind = {
    .type = UV_POLL,
    .before = offsetof(br_poll, h),
    .init = poll_init,
    .closing = poll_nothing,
    .closed = poll_nothing,
    .acts = br_uv,
    .lost = poll_lost,
};

int br_poll_new(br_loop *l, int fd, uint64_t *id) {
  if (fd < 0) return UV_EBADF;
  if (br_owner(l, fd) != NULL) return UV_EEXIST;
  br_handle *h;
  int err = br_handle_new(l, BR_KIND_POLL, (unsigned)fd, &h);
  if (err != 0) return err;
  err = br_own(l, h, fd);
  if (err != 0) {
    br_handle_close(l, h);
    return err;
  }
  *id = br_id(h);
  return 0;
}

int br_poll_start(br_loop *l, uint64_t id, int events, uint64_t epoch) {
  br_handle *h = br_find_kind(l, id, BR_KIND_POLL);
  if (h == NULL || poll_of(h)->lost) return UV_EBADF;
  if (events == 0 || events & ~(UV_READABLE | UV_WRITABLE | UV_DISCONNECT | UV_PRIORITIZED)) return UV_EINVAL;
  int err = uv_poll_start(uv_poll(h), events, on_poll);
  if (err == 0) err = br_watch_now(l, &uv_poll(h)->io_watcher);
  if (err != 0) uv_poll_stop(uv_poll(h));
  poll_of(h)->epoch = epoch;
  return err;
}

int br_poll_stop(br_loop *l, uint64_t id) {
  br_handle *h = br_find_kind(l, id, BR_KIND_POLL);
  if (h == NULL) return UV_EBADF;
  if (!poll_of(h)->lost) uv_poll_stop(uv_poll(h));
  return 0;
}
