// The making and the end of a loop, its wake-up, and its tick.
#include "datagrams.h"
#include "streams.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#endif

// The kinds of handles by number.
static const br_kind *const kinds[] = {
    [BR_KIND_TCP] = &br_tcp_kind,
    [BR_KIND_PIPE] = &br_pipe_kind,
    [BR_KIND_TTY] = &br_tty_kind,
    [BR_KIND_POLL] = &br_poll_kind,
    [BR_KIND_UDP] = &br_udp_kind,
    [BR_KIND_PROCESS] = &br_process_kind,
    [BR_KIND_FS_EVENT] = &br_fs_event_kind,
};

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

// bell_open makes a descriptor end waits. What it brings is read and forgotten, and the
// loop is not alive because of it.
static int bell_open(br_loop *l, int fd, uv_poll_t **bell) {
  uv_poll_t *p = br_alloc(uv_handle_size(UV_POLL));
  int err = p != NULL ? br_number(l, fd) : UV_ENOMEM;
  if (err == 0) err = uv_poll_init(l->uv, p, fd);
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
    uv_close((uv_handle_t *)p, br_on_own_close);
    return err;
  }
  *bell = p;
  return 0;
}

// uv_open makes libuv's loop, which watches its own descriptors and that of the wake-up.
static int uv_open(br_loop *l) {
  int err = br_uv_init(l->uv);
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
  int err = br_child_watch();  // before there can be a child
  if (err == 0 || err == UV_ENOTSUP) err = br_descriptors();
  if (err == 0) err = wake_open(fds);
  if (err != 0) return err;
  l->wake_rd = fds[0];
  l->wake_wr = fds[1];
  err = uv_open(l);
  if (err != 0) {
    wake_close(fds);
    return err;
  }
  uv_timer_init(l->uv, l->timer);
  uv_unref((uv_handle_t *)l->timer);
  l->open++;
  return 0;
}

static void loop_free(br_loop *l) {
  br_free(l->sh.recs);
  br_table_free(&l->handles);
  br_table_free(&l->reqs);
  br_free(l->owners);
  br_free(l->slab);
  br_free(l->ops);
  br_free(l->pieces);
  br_free(l->arena);
  br_inbox_free(l);
  br_outbox_free(l);
  br_names_free(l);
  br_free(l->uv);
  br_free(l);
}

// memory gives a loop all that it has from the beginning.
static int memory(br_loop *l) {
  l->rec_cap = 256;
  l->sh.recs = br_alloc(l->rec_cap * sizeof *l->sh.recs);
  l->slab = br_alloc(BR_SLAB_BYTES);
  l->ops = br_alloc(BR_OPS_MAX * sizeof *l->ops);
  l->pieces = br_alloc(BR_PIECES_MAX * sizeof *l->pieces);
  l->arena = br_alloc(BR_ARENA_BYTES);
  l->uv = br_alloc(uv_loop_size());
  l->timer = br_alloc(uv_handle_size(UV_TIMER));
  int all = l->sh.recs && l->slab && l->ops && l->pieces && l->arena && l->uv && l->timer;
  return all ? 0 : UV_ENOMEM;
}

int br_loop_new(br_loop **out) {
  unsigned v = uv_version();
  if (v >> 16 != 1 || v < ((1 << 16) | (44 << 8) | 2)) return UV_ENOTSUP;
  br_loop *l = br_alloc(sizeof *l);
  if (l == NULL) return UV_ENOMEM;
  memset(l, 0, sizeof *l);
  l->kinds = kinds;
  br_table_init(&l->handles);
  br_table_init(&l->reqs);
  br_stdio s;
  br_stdio_take(&s);
  int err = memory(l);
  if (err == 0) err = loop_init(l);
  br_stdio_give(&s);
  if (err != 0) {
    br_free(l->timer);
    loop_free(l);
    return err;
  }
  l->sh.now = uv_now(l->uv);
  *out = l;
  return 0;
}

int br_loop_close(br_loop *l) {
  if (l->sh.handles != 0 || l->reqs.used != 0) return UV_EBUSY;
  uv_close((uv_handle_t *)l->wake, br_on_own_close);
  if (l->tick != NULL) uv_close((uv_handle_t *)l->tick, br_on_own_close);
  uv_close((uv_handle_t *)l->timer, br_on_own_close);
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
  int fd = br_fd_up(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (fd < 0) return uv_translate_sys_error(errno);
  br_unown(l, fd);
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

int br_loop_configure(br_loop *l, int option) {
  if (option == BR_LOOP_BLOCK_SIGPROF) return uv_loop_configure(l->uv, UV_LOOP_BLOCK_SIGNAL, SIGPROF);
#if UV_SINCE(49)
  if (option == BR_LOOP_IO_URING) return uv_loop_configure(l->uv, UV_LOOP_USE_IO_URING_SQPOLL);
#endif
  return UV_ENOSYS;
}

int br_loop_metrics(br_loop *l, uint64_t counts[3]) {
#if UV_SINCE(45)
  uv_metrics_t m;
  int err = uv_metrics_info(l->uv, &m);
  if (err != 0) return err;
  counts[0] = m.loop_count;
  counts[1] = m.events;
  counts[2] = m.events_waiting;
  return 0;
#else
  (void)l;
  (void)counts;
  return UV_ENOSYS;
#endif
}
