// What libuv ends the process for want of, and how that is kept from it.
//
// libuv 1.44.2 calls abort() where it cannot report that the system has refused it
// something. Nothing that a program of ours does may end there:
//
//   where                                    for want of      what is done
//   uv_loop_init: uv__signal_global_reinit   descriptors      br_descriptors before it
//   uv_loop_init: uv__signal_global_init     memory           nothing: pthread_atfork's
//   uv_loop_init: the table of watchers      memory           br_uv_init tries as much
//   uv__io_start: the table of watchers      memory           br_number makes it reach
//   uv__io_poll: epoll_ctl(EPOLL_CTL_ADD)    watches, memory  br_watch before every start
//   the same of the loop's own descriptors   watches, memory  br_watch_own at its making
//   the same of that of inotify              watches, memory  br_watch_inotify at a start
//   threadpool.c: the first work             threads          br_pool_start before it
//   process.c, fs.c: what cannot be waited
//   for, a kind of work that is unknown      nothing          not used
//   async.c, thread.c, the rest of signal.c  nothing          a mistake of libuv's only
//
// A kind of handle with a watcher of libuv's calls br_watch_io before it starts it, and
// br_watched after that. Or it calls br_watch_now when it has started it, if that is
// often, or if the descriptor is not its own and may be closed before the turn.
//
// A descriptor in the set of the kernel stays there until it is closed, until
// uv_poll_stop, or until it has something to tell while nobody listens to it: then libuv
// takes it out. So it is put in again whenever a watcher starts that was not started. It
// is put in so that it tells nothing, or, as the kernel tells of a hang-up all the same,
// tells once something that libuv skips. Its watcher is told what the kernel has, so that
// libuv changes that and does not add it again. Reading is begun often, by every stream,
// so its watcher is put in at once as libuv would have it in the coming turn, by
// br_watch_now: a connection costs as many calls of epoll_ctl as in libuv alone, and 0.3
// us less than with one more. Where libuv finds out by itself, by EEXIST, it costs 2.5 us
// more. A paused stream that starts again costs another call: 0.1 to 0.7 us.
//
// All this needs that no EPOLL_CTL_DEL of libuv's is pending when a turn begins, for it
// would take out again what was put in. 1.44.2 makes each such call at once; a version
// that gathers them has to have made them when uv_run returns.
#include "internal.h"

#include <errno.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

int br_watch(br_loop *l, int fd) {
#ifdef __linux__
  struct epoll_event e = {.events = EPOLLONESHOT, .data.fd = -1};
  if (epoll_ctl(uv_backend_fd(l->uv), EPOLL_CTL_ADD, fd, &e) == 0 || errno == EEXIST) return 0;
  return uv_translate_sys_error(errno);
#else
  (void)l;
  (void)fd;
  return 0;
#endif
}

// A watcher's pevents are what it is started for, and its events what libuv believes the
// kernel to tell: none makes it add the descriptor.
int br_watch_io(br_loop *l, const uv__io_t *w) { return w->events != 0 || w->fd < 0 ? 0 : br_watch(l, w->fd); }

void br_watched(uv__io_t *w) {
#ifdef __linux__
  if (w->events == 0 && w->pevents != 0) w->events = EPOLLONESHOT;
#else
  (void)w;
#endif
}

// The queue of watchers that libuv has still to tell the kernel of is a ring of pairs of
// pointers, to the next one and to the last.
int br_watch_now(br_loop *l, uv__io_t *w) {
#ifdef __linux__
  void **q = (void **)&w->watcher_queue;
  ((void **)q[1])[0] = q[0];
  ((void **)q[0])[1] = q[1];
  q[0] = q[1] = q;
  struct epoll_event e = {.events = w->pevents, .data.fd = w->fd};
  int set = uv_backend_fd(l->uv);
  if (epoll_ctl(set, EPOLL_CTL_ADD, w->fd, &e) != 0 && (errno != EEXIST || epoll_ctl(set, EPOLL_CTL_MOD, w->fd, &e) != 0)) {
    return uv_translate_sys_error(errno);
  }
  w->events = w->pevents;
#else
  (void)l;
  (void)w;
#endif
  return 0;
}

int br_watch_own(br_loop *l) {
  int own[2] = {l->uv->async_io_watcher.fd, l->uv->signal_io_watcher.fd};
  int err = 0;
  for (int i = 0; i < 2 && err == 0; i++) {
    if (own[i] >= 0) err = br_watch(l, own[i]);
  }
  return err;
}

// Whoever had the number of the descriptor is told, and so libuv forgets its watcher. It
// is started once, with the first handle, and stays so when it could not be watched.
int br_watch_inotify(br_loop *l) {
#ifdef __linux__
  uv_loop_t *u = l->uv;
  uv__io_t *w = &u->inotify_read_watcher;
  if (u->inotify_fd < 0 || w->events != 0) return 0;
  br_unown(l, w->fd);
  if (u->watchers[w->fd] == NULL) {
    u->watchers[w->fd] = w;
    u->nfds++;
  }
  return br_watch_now(l, w);
#else
  (void)l;
  return 0;
#endif
}

// The first table of watchers is tried before. A loop that libuv cannot finish keeps its
// set of watches, which is closed here.
int br_uv_init(uv_loop_t *u) {
  enum { WATCHERS_BYTES = 64 * 1024 };
  void *table = br_alloc(WATCHERS_BYTES);
  if (table == NULL) return UV_ENOMEM;
  br_free(table);
  u->backend_fd = -1;
  br_certain(BR_TABLE_CERTAIN);
  int err = uv_loop_init(u);
  br_certain(BR_NONE_CERTAIN);
  if (err != 0 && u->backend_fd > STDERR_FILENO) close(u->backend_fd);
  return err;
}
